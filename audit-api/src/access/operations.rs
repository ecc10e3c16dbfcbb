//! The operations by their places, out of the OpenAPI document: what a record calls them, and which parameters are theirs.

use std::collections::{HashMap, HashSet};

use axum::http::Method;
use utoipa::openapi::{
    OpenApi, RefOr,
    path::{Operation as Documented, Parameter, ParameterIn},
};

/// Every operation of the document.
pub struct Operations(HashMap<(Method, String), Operation>);

/// One operation.
pub struct Operation {
    /// Its id.
    pub id: String,
    query: HashSet<String>,
}

impl Operations {
    /// Of a document.
    pub fn of(document: &OpenApi) -> Self {
        let mut operations = HashMap::new();
        for (path, item) in &document.paths.paths {
            let methods = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in methods {
                if let Some(operation) = operation {
                    operations.insert((method, path.clone()), Operation::of(operation));
                }
            }
        }
        Self(operations)
    }

    /// The operation at this place; `HEAD` is answered by `GET`'s.
    pub fn at(&self, method: &Method, path: &str) -> Option<&Operation> {
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        self.0.get(&(method, path.to_owned()))
    }
}

impl Operation {
    fn of(documented: &Documented) -> Self {
        let parameters = documented.parameters.iter().flatten();
        let in_query = |parameter: &RefOr<Parameter>| match parameter {
            RefOr::T(inline) if matches!(inline.parameter_in, ParameterIn::Query) => {
                Some(inline.name.clone())
            }
            _ => None,
        };
        let query = parameters.filter_map(in_query).collect();
        Self { id: documented.operation_id.clone().unwrap_or_default(), query }
    }

    /// Whether the value of this query parameter belongs in a record. That of an unknown one filters nothing, and may be
    /// whatever somebody put into an address by mistake, a token even; a signature is a secret.
    pub fn shows(&self, name: &str) -> bool {
        self.query.contains(name) && name != "signature"
    }
}
