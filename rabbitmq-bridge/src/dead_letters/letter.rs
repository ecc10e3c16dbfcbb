//! The properties of a dead letter: the message's own, and why it is one.

use lapin::{
    BasicProperties,
    types::{AMQPValue, ShortString},
};

use crate::{delivered::Message, mapped::Refused};

/// A longer explanation is cut: the headers must fit into one frame.
const LONGEST_DETAIL: usize = 1024;

const PERSISTENT: u8 = 2;

/// The message's properties with the reason among the headers (`audit.dead.letter.…`).
///
/// Three properties cannot go on as they are. `expiration` would make the dead letter vanish, and `user_id` must be the
/// publisher's own account: both become headers, as RabbitMQ's own dead-lettering has it with the first. And a dead letter
/// is always persistent.
pub(super) fn properties(
    message: &Message,
    refused: &Refused,
    queue: &str,
    own_user: &str,
) -> BasicProperties {
    let theirs = &message.properties;
    let mut headers = theirs.headers().clone().unwrap_or_default();
    let mut say = |name: &str, value: &str| {
        headers.insert(format!("audit.dead.letter.{name}").into(), AMQPValue::LongString(value.into()));
    };
    say("reason", refused.reason);
    say("pointer", cut(&refused.pointer));
    say("detail", cut(&refused.detail));
    say("exchange", message.exchange.as_str());
    say("queue", queue);
    if let Some(expiration) = theirs.expiration() {
        say("expiration", expiration.as_str());
    }
    let user = theirs.user_id().as_ref();
    if let Some(user) = user.filter(|user| user.as_str() != own_user) {
        say("user-id", user.as_str());
    }
    let mut ours = BasicProperties::default().with_headers(headers).with_delivery_mode(PERSISTENT);
    let with_text = |ours: BasicProperties, value: &Option<ShortString>, set: Setter| match value {
        Some(value) => set(ours, value.clone()),
        None => ours,
    };
    ours = with_text(ours, theirs.content_type(), BasicProperties::with_content_type);
    ours = with_text(ours, theirs.content_encoding(), BasicProperties::with_content_encoding);
    ours = with_text(ours, theirs.correlation_id(), BasicProperties::with_correlation_id);
    ours = with_text(ours, theirs.reply_to(), BasicProperties::with_reply_to);
    ours = with_text(ours, theirs.message_id(), BasicProperties::with_message_id);
    ours = with_text(ours, theirs.kind(), BasicProperties::with_type);
    ours = with_text(ours, theirs.app_id(), BasicProperties::with_app_id);
    ours = with_text(ours, theirs.cluster_id(), BasicProperties::with_cluster_id);
    if let Some(user) = user.filter(|user| user.as_str() == own_user) {
        ours = ours.with_user_id(user.clone());
    }
    if let Some(priority) = theirs.priority() {
        ours = ours.with_priority(*priority);
    }
    if let Some(timestamp) = theirs.timestamp() {
        ours = ours.with_timestamp(*timestamp);
    }
    ours
}

type Setter = fn(BasicProperties, ShortString) -> BasicProperties;

/// At most [`LONGEST_DETAIL`] bytes, whole characters.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_DETAIL)]
}

#[cfg(test)]
mod tests {
    use lapin::{message::Delivery, types::FieldTable};
    use shared::timestamp::Timestamp;

    use super::*;

    #[test]
    fn everything_goes_on_but_what_would_lose_the_letter() {
        let mut headers = FieldTable::default();
        headers.insert("theirs".into(), AMQPValue::LongInt(1));
        let mut delivery = Delivery::mock(1, "events".into(), "user.created".into(), false, Vec::new());
        delivery.properties = BasicProperties::default()
            .with_headers(headers)
            .with_content_type("application/json".into())
            .with_message_id("m".into())
            .with_type("t".into())
            .with_timestamp(7)
            .with_priority(3)
            .with_delivery_mode(1)
            .with_expiration("1000".into())
            .with_user_id("somebody".into());
        let message = Message::new(delivery, Timestamp::from_micros(0));
        let refused = Refused { reason: "undecodable", pointer: "/a".to_owned(), detail: "é".repeat(1000) };
        let letter = properties(&message, &refused, "q", "bridge");
        let text = |name: &str| {
            let value = &letter.headers().as_ref().unwrap().inner()[name];
            value.as_long_string().unwrap().to_string()
        };
        assert_eq!(
            (text("audit.dead.letter.reason"), text("audit.dead.letter.pointer")),
            ("undecodable".to_owned(), "/a".to_owned())
        );
        assert_eq!(text("audit.dead.letter.detail").len(), 1024);
        assert_eq!(
            (text("audit.dead.letter.exchange"), text("audit.dead.letter.queue")),
            ("events".to_owned(), "q".to_owned())
        );
        assert_eq!(text("audit.dead.letter.expiration"), "1000");
        assert_eq!(text("audit.dead.letter.user-id"), "somebody");
        assert_eq!(letter.headers().as_ref().unwrap().inner()["theirs"], AMQPValue::LongInt(1));
        assert_eq!((letter.expiration(), letter.user_id(), *letter.delivery_mode()), (&None, &None, Some(2)));
        let kept = (letter.message_id(), letter.kind(), *letter.timestamp(), *letter.priority());
        assert_eq!(kept, (&Some("m".into()), &Some("t".into()), Some(7), Some(3)));
        let own = properties(&message, &refused, "q", "somebody");
        assert_eq!(own.user_id(), &Some("somebody".into()));
    }
}
