//! Answers where there is no endpoint.

use std::any::Any;

use axum::{body::Body, http::Response, response::IntoResponse as _};
use shared::problem::ProblemType;

use crate::respond::Problem;

/// No such path.
pub async fn not_found() -> Problem {
    Problem::new(ProblemType::NotFound, "no such path: /openapi.json lists them all")
}

/// The path exists, with other methods; `Allow` names them.
pub async fn method_not_allowed() -> Problem {
    Problem::new(ProblemType::MethodNotAllowed, "this path has other methods: see the Allow header")
}

/// A handler panicked: a defect, told to the log and not to the caller.
#[expect(clippy::needless_pass_by_value, reason = "the signature that tower-http calls")]
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)");
    tracing::error!(panic = message, "a handler panicked");
    Problem::internal().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_problem_that_says_nothing_of_its_cause() {
        for panic in
            [Box::new("the secret") as Box<dyn Any + Send>, Box::new("the secret".to_owned()), Box::new(7)]
        {
            let answer = panicked(panic);
            assert_eq!(answer.status(), 500);
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            assert_eq!(answer.extensions().get::<ProblemType>(), Some(&ProblemType::Internal));
        }
    }
}
