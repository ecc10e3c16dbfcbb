-- try_projector_lock: one projector per database; the number only has to be ours and no other lock's
select pg_try_advisory_lock(7202653104710948)
