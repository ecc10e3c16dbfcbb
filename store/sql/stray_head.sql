-- stray_head: a head that is not the greatest append number
select format('last %s', h.last), format('the greatest append number is %s', reached.append_no)
from audit.append_head h
cross join (select coalesce(max(append_no), 0) as append_no from audit.appends) reached
where h.last <> reached.append_no
