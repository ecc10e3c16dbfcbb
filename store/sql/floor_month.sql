-- floor_month: where months start, as year * 12 + month - 1
select (extract(year from audit.floor_month()) * 12 + extract(month from audit.floor_month()) - 1)::int
