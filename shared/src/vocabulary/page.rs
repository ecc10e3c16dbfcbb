//! The table as a page for people: `docs/vocabulary.md`.

use std::fmt::Write;

use super::names::NAMES;
use super::unmappable::UnmappableReason;
use super::words::{Action, Category, Level};

const HEAD: &str = "\
# The vocabulary

Generated from `shared/src/vocabulary`; a test fails when this page differs. It says what a message of an older service (documents
000, 001, 002 and 004) becomes, by RabbitMQ and by the older HTTP addresses alike. The message itself is kept whole: it is the payload.

## What a message becomes

Members are found whatever their spelling: `eventId`, `EventId` and `event_id` are one. Most are looked for at the top, then in
`payload` (document 000), then in `metadata`. Nulls and empty strings are as good as absent.

| of the event | from the message |
|---|---|
| `eventId` | `eventId`; one that is no UUID gives a UUIDv5 of (exchange, it). Else `id`, where it is a UUID and the message names what it is about by another member. Else a UUIDv5 of (exchange, `message_id`). Else a fresh UUIDv7, and `metadata.possibleDuplicate` when the message was redelivered |
| `eventType` | `eventType`, else `type`; document 004's kinds (`Update`) give way to its dotted `action` (`Vehicle.Sold`). Else `DataAccess` for a message with `accessorUserId` and `subjectUserId`. Else the routing key: `user.created` is `USER_CREATED`, `auth.login_failed` is `LOGIN_FAILED`, `audit.event.` is left out. A spelling that no document has becomes the first one's |
| aggregate | (`resourceType`, `resourceId`), else (`entityType`, `entityId`), else (`User`, `subjectUserId`, else `userId`), else what a dotted name says (`Payment.Processed` with `paymentId`), else (`Service`, `serviceName`, else `source`). A security event without any of them is an aggregate of its own: (`SecurityEvent`, its id) |
| `timestamp` | `timestamp`, else `createdAt`, else `accessedAt`; without a zone it is UTC. Else AMQP's, else the time of receipt |
| `version` | 0: unversioned |
| `payload` | the message |
| `metadata.organizationId` | `organizationId` |
| `metadata.userId` | `accessorUserId`, else `userId` |
| `metadata.source` | `serviceName`, else `source` |
| `metadata.correlationId`, `causationId` | `correlationId`, else `traceId`; `causationId` |
| `metadata.ipAddress`, `userAgent` | the same |
| `metadata.action` | document 004's kind, else the message's `action` where it is one of the words below, else the name's, else the method of `httpMethod`, else the message's `action` as it is |
| `metadata.category` | the name's |
| `metadata.outcome` | `status` or `outcome`, else `success`, else failure from `httpStatusCode` 400 on, else the name's |
| `metadata.severity` | the message's, of either scale, else the name's |
| `metadata.amqp.exchange`, `amqp.routingKey`, `amqp.messageId` | as RabbitMQ delivered it |

What is too long for metadata stays in the payload alone (`ipAddress`, `userAgent`), or makes the message unmappable (the rest).

";

/// The whole page.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    names(&mut page);
    words(&mut page);
    page.push_str(
        "## Security events and data accesses\n\n\
         An event of any producer is a security event when its metadata hold a `category` of the list above and a `severity` of \
         either scale, or when the table grades its type; and a data access when its category is `data-access` and its payload \
         says `accessorUserId` (or metadata `userId`) and `subjectUserId`. A resolution is an event `SecurityEvent.Resolved` of the \
         aggregate (`SecurityEvent`, the security event's id), in the same organisation.\n\n",
    );
    unmappable(&mut page);
    page
}

fn names(page: &mut String) {
    page.push_str(
        "## The names\n\n\
         A severity makes it a security event, also without one in the message. `*.` stands for any beginning.\n\n\
         | name | category | action | outcome | severity | asked for by |\n|---|---|---|---|---|---|\n",
    );
    for row in NAMES {
        let action = row.action.map_or("–", Action::as_str);
        let outcome = row.outcome.map_or("–", super::words::Outcome::as_str);
        let severity = row.severity.map_or("–", super::words::Severity::as_str);
        line(
            page,
            &[&format!("`{}`", row.name), row.category.as_str(), action, outcome, severity, row.requirements],
        );
    }
    page.push('\n');
}

fn words(page: &mut String) {
    page.push_str("## The words\n\n| `metadata.action` (001) | `eventType` in 004 |\n|---|---|\n");
    for action in Action::ALL {
        line(page, &[action.as_str(), action.in_004()]);
    }
    page.push_str(
        "\n`Read` is ours: 004's list has no word for it.\n\n| level (004) | severities (001) |\n|---|---|\n",
    );
    for level in Level::ALL {
        let severities: Vec<_> = level.severities().iter().map(|severity| severity.as_str()).collect();
        line(page, &[level.as_str(), &severities.join(", ")]);
    }
    page.push_str("\nA level is stored as the least severity that it holds.\n\nCategories: ");
    let categories: Vec<_> =
        Category::ALL.iter().map(|category| format!("`{}`", category.as_str())).collect();
    let _ = writeln!(page, "{}.\n", categories.join(", "));
}

fn unmappable(page: &mut String) {
    page.push_str(
        "## What cannot be mapped\n\n\
         Such a message is rejected with its reason, a JSON Pointer and the remedy: to the queue `audit-service.events.dlq` by \
         RabbitMQ, as 422 by HTTP.\n\n| reason | when |\n|---|---|\n",
    );
    for reason in UnmappableReason::ALL {
        let when = match reason {
            UnmappableReason::Undecodable => "the body is not one JSON object in UTF-8",
            UnmappableReason::PayloadInvalid => {
                "a rule of payloads is broken: the same key twice, U+0000, over 64 levels, `$protected`"
            }
            UnmappableReason::EventTypeMissing => "neither body nor routing key says what happened",
            UnmappableReason::AggregateMissing => "nothing says what it happened to",
            UnmappableReason::FieldInvalid => "a member is of another kind, or longer, than can be kept",
            UnmappableReason::TimestampInvalid => {
                "the time cannot be read, or is more than 24 hours ahead, or before 0001"
            }
        };
        line(page, &[&format!("`{reason}`"), when]);
    }
}

fn line(page: &mut String, cells: &[&str]) {
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}
