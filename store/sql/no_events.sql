-- no_events: whether nothing was ever stored (and kept)
select not exists (select from audit.events)
