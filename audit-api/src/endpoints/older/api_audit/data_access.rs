//! `GET /api/audit/data-access/user/{userId}` and `/accessor/{userId}` (E28, E29).

use axum::{body::Body, http::Response};
use serde::Serialize;
use shared::{timestamp::Timestamp, vocabulary};
use store::reader::DataAccessFilter;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::{
    names::OF_004,
    paging::{Paged, Paging, PagingParameters},
    projected::data_accesses,
};
use crate::{
    endpoints::{Asked, Serving},
    request::{
        Media, Parameters, negotiate,
        path::{self, Segments},
    },
    respond::Problem,
    state::Api,
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct DateParameters {
    /// Time of the access, inclusive (RFC 3339).
    #[param(format = DateTime)]
    start_date: Option<String>,
    /// Time of the access, exclusive.
    #[param(format = DateTime)]
    end_date: Option<String>,
    /// Whose it is; it narrows what you may see and never widens it.
    #[param(style = Form, explode, max_length = 2048)]
    organization_id: Option<Vec<String>>,
}

/// A data access of document 004.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::endpoints::older) struct DataAccess {
    id: Uuid,
    accessor_user_id: String,
    #[schema(required = true)]
    accessor_name: Option<String>,
    #[schema(required = true)]
    accessor_role: Option<String>,
    #[schema(required = true, example = "PersonalInfo")]
    data_type: Option<String>,
    subject_user_id: String,
    #[schema(required = true)]
    subject_name: Option<String>,
    #[schema(required = true, example = "CustomerSupport")]
    purpose: Option<String>,
    #[schema(required = true)]
    justification: Option<String>,
    fields_accessed: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    accessed_at: Timestamp,
    #[schema(required = true)]
    ip_address: Option<String>,
    #[schema(required = true)]
    service_name: Option<String>,
}

impl From<vocabulary::DataAccess> for DataAccess {
    fn from(access: vocabulary::DataAccess) -> Self {
        Self {
            id: access.id,
            accessor_user_id: access.accessor_user_id,
            accessor_name: access.accessor_name,
            accessor_role: access.accessor_role,
            data_type: access.data_type,
            subject_user_id: access.subject_user_id,
            subject_name: access.subject_name,
            purpose: access.purpose,
            justification: access.justification,
            fields_accessed: access.fields_accessed,
            accessed_at: access.accessed_at,
            ip_address: access.ip_address,
            service_name: access.service_name,
        }
    }
}

/// Dates and organisation.
pub(super) fn filter(parameters: &mut Parameters) -> Result<DataAccessFilter, Problem> {
    let (from, to) = parameters.range(OF_004.from, OF_004.to)?;
    let organization_id = parameters.many_or_empty(OF_004.organization);
    Ok(DataAccessFilter { from, to, organization_id, ..DataAccessFilter::default() })
}

async fn answer(
    api: &Api,
    asked: Asked,
    of: impl FnOnce(DataAccessFilter) -> DataAccessFilter + Send,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let filter = of(filter(&mut parameters)?);
    let paging = Paging::read(&mut parameters, &OF_004)?;
    parameters.finish()?;
    let (rows, total) = data_accesses(api, &scope, filter, paging).await?;
    Ok(paging.answer(rows.into_iter().map(|row| DataAccess::from(row.access)).collect(), total))
}

/// Who looked at this user's data (document 004)
#[utoipa::path(
    get, path = "/api/audit/data-access/user/{userId}", operation_id = "dataAccessesToUser", tag = "Older addresses",
    params(("userId" = String, Path, description = "Whose data."), DateParameters, PagingParameters),
    responses((status = 200, description = "The accesses, newest first.", body = inline(Paged<DataAccess>), content_type = "application/json"))
)]
pub(crate) async fn of_subject(
    Serving(api): Serving,
    asked: Asked,
    Segments(user_id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    let user_id = path::id("userId", user_id)?;
    answer(&api, asked, |filter| DataAccessFilter { subject_user_id: vec![user_id], ..filter }).await
}

/// Whose data this user looked at (document 004)
#[utoipa::path(
    get, path = "/api/audit/data-access/accessor/{userId}", operation_id = "dataAccessesByUser", tag = "Older addresses",
    params(("userId" = String, Path, description = "Who looked."), DateParameters, PagingParameters),
    responses((status = 200, description = "The accesses, newest first.", body = inline(Paged<DataAccess>), content_type = "application/json"))
)]
pub(crate) async fn by_accessor(
    Serving(api): Serving,
    asked: Asked,
    Segments(user_id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    let user_id = path::id("userId", user_id)?;
    answer(&api, asked, |filter| DataAccessFilter { accessor_user_id: vec![user_id], ..filter }).await
}
