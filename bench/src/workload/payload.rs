//! What the events are about: a business with eight kinds of things, each with five kinds of events, and a change
//! document for each event.

use std::fmt::Write;

use super::chance::Chance;

/// Kinds of aggregates; an aggregate's kind is its number modulo this.
pub(super) const AGGREGATE_TYPES: u32 = 8;

const TYPES: [(&str, [&str; 5]); AGGREGATE_TYPES as usize] = [
    ("loan", ["LoanRequested", "LoanScored", "LoanGranted", "LoanPaidOut", "LoanSettled"]),
    ("policy", ["PolicyQuoted", "PolicyBound", "PolicyEndorsed", "PolicyRenewed", "PolicyLapsed"]),
    ("claim", ["ClaimReported", "ClaimAssessed", "ClaimReserved", "ClaimPaid", "ClaimClosed"]),
    ("order", ["OrderDrafted", "OrderConfirmed", "OrderPacked", "OrderDispatched", "OrderReturned"]),
    (
        "patient",
        ["PatientAdmitted", "PatientMoved", "PatientConsented", "PatientTreated", "PatientDischarged"],
    ),
    ("meter", ["MeterInstalled", "MeterRead", "MeterCorrected", "MeterBilled", "MeterRemoved"]),
    ("permit", ["PermitFiled", "PermitReviewed", "PermitObjected", "PermitIssued", "PermitRevoked"]),
    ("wallet", ["WalletOpened", "WalletCredited", "WalletCharged", "WalletFrozen", "WalletEmptied"]),
];

const PROPERTIES: [&str; 12] = [
    "stage",
    "limitCents",
    "handler",
    "urgency",
    "dueOn",
    "street",
    "pieces",
    "rebatePercent",
    "taxCode",
    "branch",
    "remark",
    "riskClass",
];

const WORDS: [&str; 24] = [
    "amber", "basis", "carrier", "deferred", "eastern", "filed", "gauge", "handed", "interim", "joint",
    "keeper", "ledger", "monthly", "noted", "outdoor", "pledge", "quarter", "revised", "signed", "transit",
    "urgent", "vendor", "waived", "yearly",
];

/// The kind of an aggregate.
pub(super) fn aggregate_type(aggregate: u32) -> &'static str {
    type_of(aggregate).0
}

/// One of the five kinds of events of the aggregate's kind.
pub(super) fn event_type(aggregate: u32, chance: &mut Chance) -> String {
    chance.pick(&type_of(aggregate).1).to_owned()
}

fn type_of(aggregate: u32) -> &'static (&'static str, [&'static str; 5]) {
    &TYPES[usize::try_from(aggregate % AGGREGATE_TYPES).expect("less than eight")]
}

/// The payload: 330 to 600 bytes of compact JSON; one in two hundred carries a document and has about 4 kB.
pub(super) fn text(number: u64, aggregate: u32, chance: &mut Chance) -> String {
    let mut text = String::with_capacity(640);
    client(&mut text, aggregate, chance);
    changes(&mut text, chance);
    let _ = write!(
        text,
        ",\"amount\":{{\"value\":\"{}.{:02}\",\"currency\":\"{}\"}},\"site\":\"{}\",\"remark\":\"",
        chance.below(20_000),
        chance.below(100),
        chance.pick(&["CHF", "DKK", "EUR", "NOK"]),
        chance.pick(&["basel-2", "bergen-1", "cork-4", "turin-1"]),
    );
    let spare = chance.below(26);
    words(&mut text, 3 + spare, chance);
    if Chance::of(number, "document").below(200) == 0 {
        text.push_str("\",\"document\":\"");
        words(&mut text, 480 + chance.below(60), chance);
    }
    text.push_str("\"}");
    text
}

// Writing to a String cannot fail.
fn client(text: &mut String, aggregate: u32, chance: &mut Chance) {
    let _ = write!(
        text,
        "{{\"client\":{{\"address\":\"10.{}.{}.{}\",\"program\":\"{}/{}.{}\"}},\"call\":{{\"id\":\"{:016x}\",\"verb\":\"{}\",\"path\":\"/{}s/{aggregate:07}\"}},\"session\":{{\"id\":\"{:016x}\",\"step\":{}}},\"changes\":{{",
        chance.below(32),
        chance.below(256),
        chance.below(256),
        chance.pick(&["backoffice", "mobile-app", "batch-agent", "partner-gate"]),
        1 + chance.below(9),
        chance.below(40),
        chance.next(),
        chance.pick(&["DELETE", "PATCH", "POST", "PUT"]),
        aggregate_type(aggregate),
        chance.next(),
        chance.below(90),
    );
}

/// One to three changed properties with their old and new values, as semantics.md 10 reads them.
fn changes(text: &mut String, chance: &mut Chance) {
    let count = 1 + chance.below(3);
    let first = chance.below(12);
    for change in 0..count {
        if change > 0 {
            text.push(',');
        }
        // Neighbours in a ring: no property twice.
        let property = PROPERTIES[usize::try_from((first + change) % 12).expect("less than twelve")];
        let _ = if chance.below(2) == 0 {
            write!(
                text,
                "\"{property}\":{{\"old\":{},\"new\":{}}}",
                chance.below(100_000),
                chance.below(100_000)
            )
        } else {
            write!(
                text,
                "\"{property}\":{{\"old\":\"{}\",\"new\":\"{}\"}}",
                chance.pick(&WORDS),
                chance.pick(&WORDS)
            )
        };
    }
    text.push('}');
}

fn words(text: &mut String, count: u64, chance: &mut Chance) {
    for word in 0..count {
        if word > 0 {
            text.push(' ');
        }
        text.push_str(chance.pick(&WORDS));
    }
}
