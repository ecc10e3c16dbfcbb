-- Replays as jobs: events that are stored already are produced to a topic (contract.md, POST /v1/replays). The job's row is
-- its state and its position; its steps are an outbox of the events by which the trail itself tells of it.

create table audit.replay_jobs (
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    lease_until timestamptz,
    run_started_at timestamptz,
    until_append bigint not null check (until_append >= 0),
    reached_append bigint not null check (reached_append >= 0),
    reached_offset bigint check (reached_offset >= 0),
    last_offset bigint check (last_offset >= 0),
    sent bigint not null default 0 check (sent >= 0),
    sent_bytes bigint not null default 0 check (sent_bytes >= 0),
    run_sent_before bigint not null default 0,
    expected bigint check (expected >= 0),
    job_id uuid primary key,
    runner uuid,
    last_log_id int,
    rate int check (rate >= 1),
    version int not null default 1 check (version >= 1),
    state text collate "C" not null default 'running'
        check (state in ('running', 'paused', 'cancelled', 'finished', 'failed')),
    expectation text collate "C" check (expectation in ('exact', 'at-least', 'at-most')),
    topic text collate "C" not null check (octet_length(topic) between 1 and 249),
    created_by text collate "C" not null check (octet_length(created_by) between 1 and 255),
    organization_id text collate "C",
    filter text collate "C" not null check (octet_length(filter) <= 65536),
    trouble text collate "C" check (octet_length(trouble) <= 4096),
    check ((expected is null) = (expectation is null)),
    check ((last_log_id is null) = (last_offset is null)),
    check ((runner is null) = (lease_until is null)),
    check ((ended_at is null) = (state in ('running', 'paused', 'failed')))
) with (fillfactor = 50);
create index replay_jobs_created on audit.replay_jobs (created_at, job_id);
-- Few at any time: what runners look through.
create index replay_jobs_open on audit.replay_jobs (created_at, job_id) where ended_at is null;

comment on table audit.replay_jobs is 'Replays to topics; no evidence. organization_id: whose events, null = everybody''s. Everything up to (reached_append, reached_offset) is in the topic, up to until_append is the job; last_log_id:last_offset is the position of the last event sent. runner works on it until lease_until. filter: JSON, the parameters of GET /v1/replay. run_…: since the present runner took it.';

create table audit.replay_steps (
    at timestamptz not null default clock_timestamp(),
    published_at timestamptz,
    sent bigint not null,
    event_id uuid not null unique,
    job_id uuid not null references audit.replay_jobs,
    version int not null,
    step text collate "C" not null check (step in ('started', 'paused', 'resumed', 'cancelled', 'finished', 'failed')),
    by_whom text collate "C" not null,
    detail text collate "C" not null default '',
    primary key (job_id, version)
);
create index replay_steps_unpublished on audit.replay_steps (at, job_id, version) where published_at is null;

comment on table audit.replay_steps is 'What was done with each replay, by whom, until it is an event in the trail: event_id is its id there, published_at when Kafka had it.';

revoke all on audit.replay_jobs, audit.replay_steps from public;
grant select, insert, update (updated_at, ended_at, lease_until, run_started_at, reached_append, reached_offset, last_log_id,
    last_offset, sent, sent_bytes, run_sent_before, runner, version, state, trouble) on audit.replay_jobs to audit_api;
grant select, insert, update (published_at) on audit.replay_steps to audit_api;
grant select on audit.replay_jobs, audit.replay_steps to audit_operator;
