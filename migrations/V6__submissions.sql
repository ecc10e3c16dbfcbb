-- What the API writes itself (semantics.md 5, 13): the ids of submissions, so that a repeat produces the same ones, and
-- the redrives of dead letters, so that who sent what again is known.

create table audit.submissions (
    started_at timestamptz not null default clock_timestamp(),
    attempt_until timestamptz not null,
    finished_at timestamptz,
    caller bytea not null check (octet_length(caller) = 32),
    body_digest bytea not null check (octet_length(body_digest) = 32),
    idempotency_key text collate "C" not null check (octet_length(idempotency_key) between 1 and 255),
    event_ids uuid[] not null check (cardinality(event_ids) between 1 and 1000),
    partitions int[],
    offsets bigint[],
    primary key (caller, idempotency_key),
    check ((finished_at is null) = (partitions is null) and (finished_at is null) = (offsets is null)),
    check (cardinality(partitions) = cardinality(event_ids) and cardinality(offsets) = cardinality(event_ids))
);
create index submissions_started on audit.submissions (started_at);

comment on table audit.submissions is 'Requests with an Idempotency-Key, for a day; no evidence. caller: SHA-256 over organisation and subject. attempt_until: until then an attempt may be at work; afterwards a repeat takes it over, with the same event_ids. partitions, offsets: where Kafka acknowledged them.';

create table audit.redrives (
    at timestamptz not null default clock_timestamp(),
    "offset" bigint not null,
    redrive_id uuid not null,
    log_id int not null,
    step text collate "C" not null check (step in ('requested', 'produced', 'failed')),
    requested_by text collate "C" not null check (octet_length(requested_by) between 1 and 255),
    to_topic text collate "C" not null,
    to_partition int check (to_partition >= 0),
    to_offset bigint check (to_offset >= 0),
    primary key (log_id, "offset", redrive_id, step),
    foreign key (log_id, "offset") references audit.dead_letters,
    check ((step = 'produced') = (to_partition is not null) and (step = 'produced') = (to_offset is not null))
);

comment on table audit.redrives is 'Every dead letter that was sent again, by whom: a row before it is produced, and one when Kafka has answered. A request without an answer may have been produced.';

select audit.guard_table('redrives');

revoke all on audit.submissions, audit.redrives from public;
grant select, insert, delete, update (attempt_until, finished_at, partitions, offsets) on audit.submissions to audit_api;
grant select, insert on audit.redrives to audit_api;
grant select on audit.submissions, audit.redrives to audit_operator;
grant select on audit.redrives to audit_retention;
