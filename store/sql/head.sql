-- head: the newest append's number
select coalesce(max(append_no), 0) from audit.appends
