//! `GET /audit/exports/{name}`: what a signed link to a file of the folder gives.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Response, Uri, header},
};
use futures::StreamExt as _;
use shared::problem::ProblemType;
use utoipa::IntoParams;

use crate::{
    access::Notes,
    exports::{Format, LinkError},
    request::{Parameters, path::Segments},
    respond::{Problem, data},
    state::Api,
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct LinkParameters {
    /// When the link ends, in seconds since 1970.
    #[param(minimum = 0)]
    expires: i64,
    /// The signature over name and end.
    #[param(min_length = 64, max_length = 64)]
    signature: String,
}

/// The file of an export
///
/// The address comes from `POST /audit/export` and needs no token: its signature is over the name and the end.
#[utoipa::path(
    get, path = "/audit/exports/{name}", operation_id = "downloadExport", tag = "Older addresses", security(()),
    params(("name" = String, Path, description = "The file."), LinkParameters),
    responses(
        (status = 200, description = "The file.", content((String = "text/csv"), (Vec<super::shape::AuditLogDetails> = "application/json"))),
        (status = 403, description = "The link has expired, or is not one of ours.", body = crate::respond::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn download(
    State(api): State<Arc<Api>>,
    Segments(name): Segments<String>,
    notes: Notes,
    uri: Uri,
) -> Result<Response<Body>, Problem> {
    let mut parameters = Parameters::read(uri.query())?;
    let expires = parameters.number("expires", 0, i64::MAX)?;
    let signature = parameters.one("signature")?;
    parameters.finish()?;
    let (Some(expires), Some(signature)) = (expires, signature) else {
        return Err(Problem::new(
            ProblemType::Forbidden,
            "use the whole link, as POST /audit/export gave it",
        ));
    };
    let forged = || {
        Problem::new(
            ProblemType::Forbidden,
            "the link is not one of ours: use it as POST /audit/export gave it",
        )
    };
    let exports = api.exports.as_deref().ok_or_else(forged)?;
    let link = exports.place().link().ok_or_else(forged)?;
    link.check(&name, expires, &signature, api.clock.now()).map_err(|error| match error {
        LinkError::Forged => forged(),
        LinkError::Expired => Problem::new(ProblemType::Forbidden, "the link has expired: export again"),
    })?;
    notes.link(&name);
    let permit = Arc::clone(&api.streams)
        .try_acquire_owned()
        .map_err(|_| Problem::unavailable("all streams are taken: try again"))?;
    let found = exports.place().read(&name).await.map_err(|error| {
        tracing::error!(%error, "an export cannot be read");
        Problem::unavailable("the file cannot be read now")
    })?;
    let (size, bytes) = found.ok_or_else(|| Problem::not_found("file of this name"))?;
    // Held until the last byte is sent or the client goes.
    let bytes = bytes.inspect(move |_| {
        let _ = &permit;
    });
    let format = Format::of_file(&name);
    let mut response = data(format.media_type(), Body::from_stream(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    // The name has been signed by us: it is plain ASCII.
    if let Ok(disposition) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}
