//! A history folded as it is read, chunk by chunk: memory is that of the state, not of the history.

use shared::{
    problem::ProblemType,
    scope::Scope,
    state::{AggregateName, Fold, FoldError, FoldedEvent, MAX_EVENTS},
    timestamp::Timestamp,
};
use store::{AggregateKey, EventRow, HistoryRange};

use crate::{
    measure,
    request::Parameters,
    respond::Problem,
    state::Api,
    walk::{HistoryWalk, Walk as _},
};

/// Up to where an aggregate is folded, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Every event.
    Newest,
    /// This version, and every unversioned event.
    Version(i32),
    /// Event times up to this moment.
    Moment(Timestamp),
}

impl Until {
    /// Takes the two parameters, of which one may be given; `None` = neither is.
    pub(super) fn read(
        parameters: &mut Parameters,
        version: &'static str,
        moment: &'static str,
    ) -> Result<Option<Self>, Problem> {
        match (parameters.number(version, 0, i32::MAX)?, parameters.time(moment)?) {
            (None, None) => Ok(None),
            (Some(version), None) => Ok(Some(Self::Version(version))),
            (None, Some(moment)) => Ok(Some(Self::Moment(moment))),
            (Some(_), Some(_)) => Err(Problem::parameter(
                moment,
                &format!("says up to where, and so does {version}: give one of the two"),
            )),
        }
    }

    fn range(self) -> HistoryRange {
        match self {
            Self::Newest => HistoryRange::default(),
            Self::Version(version) => HistoryRange { to_version: Some(version), ..HistoryRange::default() },
            Self::Moment(moment) => HistoryRange { at: Some(moment), ..HistoryRange::default() },
        }
    }
}

/// Whether the fold has to know who did what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    /// For blame.
    Named,
    /// Not shown.
    LeftOut,
}

/// Puts the events into the fold.
///
/// What does not fit into the first chunk is a long history: of these only a few are folded at once.
pub(super) async fn fold(
    api: &Api,
    scope: &Scope,
    key: &AggregateKey,
    until: Until,
    users: Users,
    mut fold: Fold,
) -> Result<Fold, Problem> {
    let mut walk = HistoryWalk::new(api.reader.clone(), scope.clone(), key.clone(), until.range(), None);
    let mut chunk = measure::query("state", walk.next()).await?;
    apply(&mut fold, &chunk.rows, users)?;
    if chunk.complete {
        return Ok(fold);
    }
    let _permit = api.folds.acquire().await.map_err(|_| Problem::unavailable("the server stops"))?;
    while !chunk.complete {
        chunk = measure::query("state", walk.next()).await?;
        apply(&mut fold, &chunk.rows, users)?;
    }
    Ok(fold)
}

fn apply(fold: &mut Fold, rows: &[EventRow], users: Users) -> Result<(), Problem> {
    for row in rows {
        let view = row.view();
        let [user] = if users == Users::Named { view.metadata_values(["userId"]) } else { [None] };
        fold.apply(&FoldedEvent {
            event_id: view.event_id,
            event_type: view.event_type,
            version: view.version,
            timestamp: view.timestamp,
            user_id: user.as_deref().unwrap_or_default(),
            payload: view.payload,
        })
        .map_err(refused)?;
    }
    Ok(())
}

fn refused(error: FoldError) -> Problem {
    let what = match error {
        FoldError::TooManyEvents => format!("more than {MAX_EVENTS} events lead up to there"),
        FoldError::TooLarge => error.to_string(),
        FoldError::Malformed(_) => {
            tracing::error!(%error, "a stored payload is no JSON object");
            return Problem::internal();
        }
    };
    let remedy = "ask for an earlier version or moment, or fold the events of its replay yourself";
    Problem::new(ProblemType::AggregateTooLarge, format!("{what}: {remedy}"))
}

/// The aggregate's name for answers.
pub(super) fn name(key: &AggregateKey) -> AggregateName<'_> {
    AggregateName {
        aggregate_type: &key.aggregate_type,
        aggregate_id: &key.aggregate_id,
        organization_id: &key.organization_id,
    }
}

/// Nothing had happened yet.
pub(super) fn nothing_until_then() -> Problem {
    Problem::not_found("event of this aggregate up to then")
}
