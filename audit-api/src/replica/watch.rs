//! Looking after the standby: whether it answers, how far it is behind, whether reads may go there.

use std::{sync::Arc, time::Duration};

use store::{
    DatabaseUrl, Reader, StoreError,
    reader::{ReplicaLag, ServerPlace},
};

use super::Replica;
use crate::state::Api;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// What keeps a [`Replica`] up to date.
pub struct Watch {
    /// Where the standby is.
    pub url: DatabaseUrl,
    /// Connections to it.
    pub connections: usize,
    /// The name that it shows for them.
    pub application: &'static str,
    /// A standby that is further behind is not read from.
    pub max_lag: Duration,
}

/// What is known of the standby.
#[derive(Default)]
struct Known {
    reader: Option<Reader>,
    place: Option<ServerPlace>,
}

impl Watch {
    /// Looks at the standby from time to time, until the API stops.
    pub async fn keep(self, api: Arc<Api>, replica: Arc<Replica>) {
        let mut known = Known::default();
        loop {
            match self.look(&mut known).await {
                Ok(place) => self.judge(&api, &replica, &known, &place).await,
                Err(error) => {
                    known.reader = None;
                    measure(&api.reader, known.place.as_ref()).await;
                    give_up(&replica, &error.to_string());
                }
            }
            metrics::gauge!("audit_replica_used").set(f64::from(u8::from(replica.is_used())));
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = api.shutdown.requested() => return replica.leave(),
            }
        }
    }

    /// How far the standby has come; connects when there is no connection.
    async fn look(&self, known: &mut Known) -> Result<ServerPlace, StoreError> {
        let reader = match &known.reader {
            Some(reader) => {
                reader.check().await?;
                reader.clone()
            }
            None => Reader::connect_to_one(&self.url, self.connections, self.application).await?,
        };
        let place = reader.place().await?;
        known.reader = Some(reader);
        known.place = Some(place.clone());
        Ok(place)
    }

    /// Compares it with the primary. When the primary is away nothing can be said, and what was decided stays: reads go
    /// on where they went.
    async fn judge(&self, api: &Api, replica: &Replica, known: &Known, place: &ServerPlace) {
        let (Some(lag), Some(reader)) = (measure(&api.reader, Some(place)).await, &known.reader) else {
            return;
        };
        reader.note_lag(lag);
        if lag.age > self.max_lag {
            give_up(replica, &format!("it is {:.1} s behind", lag.age.as_secs_f64()));
        } else if !replica.is_used() && lag.age <= self.max_lag / 2 {
            tracing::info!(is_standby = place.is_standby, append = place.append, "replica_used");
            replica.take(api, reader.clone());
        }
    }
}

fn give_up(replica: &Replica, reason: &str) {
    if replica.is_used() {
        tracing::warn!(reason, "replica_left: reads go to the primary");
        replica.leave();
    } else {
        tracing::debug!(reason, "the replica cannot be used");
    }
}

/// Measures what a standby at this place lacks; also one that is away, by what is known of it.
#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floating point; 2^53 appends or bytes are far away"
)]
async fn measure(primary: &Reader, place: Option<&ServerPlace>) -> Option<ReplicaLag> {
    let lag = primary.ahead_of(place?).await;
    let lag =
        lag.inspect_err(|error| tracing::debug!(%error, "the replica's lag cannot be measured")).ok()?;
    metrics::gauge!("audit_replica_lag_seconds").set(lag.age.as_secs_f64());
    metrics::gauge!("audit_replica_lag_appends").set(lag.appends as f64);
    if let Some(bytes) = lag.bytes {
        metrics::gauge!("audit_replica_lag_bytes").set(bytes as f64);
    }
    Some(lag)
}
