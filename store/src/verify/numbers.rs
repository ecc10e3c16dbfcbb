//! Append numbers are dense, each log's appends follow one another, times do not go back.

use std::collections::HashMap;

use shared::timestamp::Timestamp;
use tokio_postgres::Client;

use super::Verification;
use crate::error::StoreError;
use crate::sql_types::Micros;

const NUMBERS: &str = include_str!("../../sql/append_numbers.sql");
/// Appends read at once.
const CHUNK: i64 = 10_000;

/// Where the appends of a log have got to.
#[derive(Clone, Copy)]
struct Reached {
    next_offset: i64,
    recorded_at: Timestamp,
}

pub(super) async fn verify(client: &Client, found: &mut Verification) -> Result<(), StoreError> {
    let statement = client.prepare(NUMBERS).await?;
    let mut logs: HashMap<i32, Reached> = HashMap::new();
    let mut last = 0i64;
    while last < found.head && !found.is_full() {
        let rows = client.query(&statement, &[&last, &found.head, &CHUNK]).await?;
        for row in &rows {
            let (append_no, log_id): (i64, i32) = (row.try_get(0)?, row.try_get(1)?);
            let (from_offset, next_offset): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
            let Micros(recorded_at) = row.try_get(4)?;
            if append_no != last + 1 {
                missing(found, last + 1, append_no - 1);
            }
            last = append_no;
            let reached = logs.get(&log_id).copied();
            let expected = reached.map_or(0, |reached| reached.next_offset);
            if from_offset != expected {
                let problem = format!(
                    "starts at offset {from_offset}, the append of log {log_id} before ends at {expected}"
                );
                found.find("appends", format!("append {append_no}"), problem);
            }
            if reached.is_some_and(|reached| recorded_at < reached.recorded_at) {
                found.find(
                    "appends",
                    format!("append {append_no}"),
                    "was recorded before the one it follows",
                );
            }
            logs.insert(log_id, Reached { next_offset, recorded_at });
        }
        if rows.is_empty() {
            missing(found, last + 1, found.head);
            break;
        }
    }
    Ok(())
}

fn missing(found: &mut Verification, first: i64, last: i64) {
    let row = if first == last { format!("append {first}") } else { format!("appends {first} to {last}") };
    found.find("appends", row, "is missing: numbers are dense");
}
