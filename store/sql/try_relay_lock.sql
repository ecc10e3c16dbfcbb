-- try_relay_lock: one dead-letter relay per database; the number only has to be ours and no other lock's
select pg_try_advisory_lock(4707365930177622642)
