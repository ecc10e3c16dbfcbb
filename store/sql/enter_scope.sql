-- enter_scope: the scope of a read, until the end of its transaction. $1 'all' or another word, $2 organisation, $3 enable_sort, $4 statement_timeout
select set_config('audit.scope', $1, true), set_config('audit.organization', $2, true), set_config('enable_sort', $3, true), set_config('statement_timeout', $4, true)
