//! From a place in recorded order to the position that names it to clients: the way back from `locate`.

use shared::position::Position;
use shared::scope::Scope;

use super::session::{self, Sorting};
use super::statement::Statement;
use super::{Reader, RecordedCursor};
use crate::error::StoreError;

const POSITION_OF_APPEND: &str = include_str!("../../sql/position_of_append.sql");

impl Reader {
    /// A position behind which recorded order goes on exactly as behind the cursor; `None` before the first append.
    pub async fn position_of(&self, cursor: RecordedCursor) -> Result<Option<Position>, StoreError> {
        let mut statement = Statement::new(POSITION_OF_APPEND);
        // "None of it yet" is behind everything of the append before.
        statement.bind(cursor.append_no - i64::from(cursor.offset.is_none()));
        let rows = session::read(&self.pool, &Scope::All, &statement, Sorting::AsPlanned).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let offset = cursor.offset.map_or_else(|| row.try_get(1), Ok)?;
        Ok(Some(Position { log_id: row.try_get(0)?, offset }))
    }
}
