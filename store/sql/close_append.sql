-- close_append: moves the positions and takes the numbers; the head row is locked only from here to COMMIT. When not
-- every position moves, the division by zero fails the transaction.
-- $1 logs, $2 from, $3 next, $4 last offsets, $5 last digests, $6 stored, $7 duplicate, $8 dead-lettered, $9 skipped,
-- $10 least times, $11 greatest times, $12 roots, $13 recorded at; all but the last are arrays, in log order
with span as materialized (
    select *
    from unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::int[], $7::int[], $8::int[],
                $9::bigint[], $10::timestamptz[], $11::timestamptz[], $12::bytea[])
        with ordinality as s (log_id, from_offset, next_offset, last_offset, last_digest, stored, duplicate,
                              dead_lettered, skipped, min_time, max_time, batch_root, place)
), moved as (
    update audit.logs l
    set next_offset = s.next_offset,
        last_record_offset = coalesce(s.last_offset, l.last_record_offset),
        last_record_digest = coalesce(s.last_digest, l.last_record_digest),
        last_recorded_at = $13
    from span s
    where l.log_id = s.log_id and l.next_offset = s.from_offset and l.closed_at is null
    returning l.log_id
), head as (
    update audit.append_head
    set last = last + (select count(*) / (count(*) = cardinality($1))::int from moved)
    returning last
)
insert into audit.appends (append_no, recorded_at, from_offset, next_offset, min_time, max_time, skipped, log_id,
                           stored, duplicate, dead_lettered, batch_root)
select head.last - cardinality($1) + s.place, $13, s.from_offset, s.next_offset, s.min_time, s.max_time, s.skipped,
       s.log_id, s.stored, s.duplicate, s.dead_lettered, s.batch_root
from head cross join span s
returning log_id, append_no
