//! Pages by number, as the older documents have them (B09, B10): bounded, since what is before a page is walked past.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::names::Names;
pub(super) use crate::endpoints::body::json;
use crate::{request::Parameters, respond::Problem};

/// How many results can be reached by page numbers. Beyond, `/v1` has cursors, which cost the same on every page.
pub(super) const REACH: u32 = 10_000;
/// Where the total stops: one more than can be reached says "more".
pub(super) const COUNT_CAP: u32 = REACH + 1;

const DEFAULT_LIMIT: u32 = 20;
const LARGEST_LIMIT: u32 = 1000;

/// The documentation of the parameters; [`Paging::read`] is what reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
pub(super) struct PagingParameters {
    /// Which page. The first 10,000 results can be reached so.
    #[param(minimum = 1, default = 1)]
    page: Option<u32>,
    /// Results on a page.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    limit: Option<u32>,
}

/// Which page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paging {
    pub(super) page: u32,
    pub(super) limit: u32,
}

/// Where a page stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pagination {
    /// Which page this is, from 1.
    page: u32,
    /// Results on a page.
    limit: u32,
    /// How many results there are; 10001 = more than 10,000.
    total: u64,
    /// How many pages can be reached.
    total_pages: u64,
}

/// A page in the shape of document 001 (B10).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Paged<T> {
    data: Vec<T>,
    pagination: Pagination,
}

impl Paging {
    /// Takes the page out of the parameters.
    pub(super) fn read(parameters: &mut Parameters, names: &Names) -> Result<Self, Problem> {
        let limit = parameters.number("limit", 1, LARGEST_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        let page = parameters.number("page", 1, u32::MAX)?.unwrap_or(1);
        let paging = Self { page, limit };
        if paging.skipped() >= u64::from(REACH) {
            let (from, to) = (names.from, names.to);
            return Err(Problem::query_too_broad(format!(
                "page is beyond the first {REACH} results: narrow them with {from} and {to}, or follow the cursors of GET /v1/events"
            )));
        }
        Ok(paging)
    }

    fn skipped(self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.limit)
    }

    /// How many results come before the page: under [`REACH`].
    pub(super) fn skip(self) -> u32 {
        u32::try_from(self.skipped()).unwrap_or(REACH)
    }

    /// Where it stands among so many.
    pub(super) fn of(self, total: u64) -> Pagination {
        let Self { page, limit } = self;
        Pagination { page, limit, total, total_pages: self.pages(total) }
    }

    /// How many pages can be reached.
    pub(super) fn pages(self, total: u64) -> u64 {
        total.min(u64::from(REACH)).div_ceil(u64::from(self.limit))
    }

    /// The page as an answer.
    pub(super) fn answer<T: Serialize>(
        self,
        data: Vec<T>,
        total: u64,
    ) -> axum::http::Response<axum::body::Body> {
        let count = data.len();
        json(&Paged { data, pagination: self.of(total) }, count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::OF_001;
    use super::*;

    fn read(query: &str) -> Result<Paging, Problem> {
        Paging::read(&mut Parameters::read(Some(query)).expect("readable"), &OF_001)
    }

    #[test]
    fn pages_are_numbered_from_one_and_end() {
        let paging = read("").expect("the first page");
        assert_eq!((paging.page, paging.limit, paging.skip()), (1, 20, 0));
        assert_eq!(read("page=3&limit=7").expect("a page").skip(), 14);
        assert_eq!(paging.pages(0), 0);
        assert_eq!(paging.pages(1500), 75);
        assert_eq!(paging.pages(u64::from(COUNT_CAP)), 500);
        assert!(read("page=500").is_ok() && read("page=501").is_err());
        assert!(read("page=334&limit=30").is_ok() && read("page=335&limit=30").is_err());
        for bad in ["page=0", "limit=0", "limit=1001", "page=4294967296", "page=1&page=2"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
