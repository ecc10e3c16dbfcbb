-- stray_letters: dead letters that the account does not know
select format('log %s offset %s', w.log_id, w."offset"), 'is a dead letter that is not accounted for'
from audit.dead_letters w
where not exists (
    select from audit.dispositions d
    where d.log_id = w.log_id and d.from_offset = w."offset" and d.kind = 'dead-lettered'
)
limit 10
