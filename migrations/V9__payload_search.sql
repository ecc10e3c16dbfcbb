-- What a search in payloads compares (semantics.md 7, 9). Payloads are `json`, exact bytes; containment is jsonb's. The
-- same expressions serve the search and its optional indexes (`trailctl index create`), so they are immutable, and no row
-- can make them fail.

-- The value without its protected values: a protected member or element is gone, as if it had never been there, so that
-- neither its ciphertext nor its key, nor that it is an object, matches anything. Null = the value itself is protected.
create function audit.without_protected(value jsonb) returns jsonb
language plpgsql immutable strict set search_path = pg_catalog, pg_temp as $$
begin
    if jsonb_typeof(value) = 'object' then
        if value ? '$protected' then
            return null;
        end if;
        return (select coalesce(jsonb_object_agg(m.key, k.kept), '{}')
            from jsonb_each(value) m cross join lateral (select audit.without_protected(m.value) as kept) k
            where k.kept is not null);
    elsif jsonb_typeof(value) = 'array' then
        return (select coalesce(jsonb_agg(k.kept), '[]')
            from jsonb_array_elements(value) m cross join lateral (select audit.without_protected(m.value) as kept) k
            where k.kept is not null);
    end if;
    return value;
end $$;

-- The payload as a search sees it. Null, which matches nothing, for what jsonb refuses: the door lets no such payload in,
-- but a row that came another way must not end every search that meets it. Timeouts and cancels pass.
create function audit.searchable(payload json) returns jsonb
language plpgsql immutable strict cost 1000 set search_path = pg_catalog, pg_temp as $$
declare
    document jsonb;
begin
    document := payload::jsonb;
    -- A key may be written with escapes; jsonb's own text has none for ASCII.
    if strpos(payload::text, '$protected') > 0
        or strpos(payload::text, '\u00') > 0 and strpos(document::text, '$protected') > 0
    then
        document := coalesce(audit.without_protected(document), '{}');
    end if;
    return document;
exception when data_exception or program_limit_exceeded then
    return null;
end $$;

comment on function audit.searchable(json) is 'The payload as jsonb, without protected values; null when jsonb cannot hold it.';

-- The words of some fields of the payload (JSON Pointers with spaces between, or * for all of it), in lower case, as they
-- stand: no language is assumed. Null = nothing to find there.
create function audit.words(payload json, fields text) returns tsvector
language plpgsql immutable strict cost 1000 set search_path = pg_catalog, pg_temp as $$
declare
    document constant jsonb := audit.searchable(payload);
    field text;
    path text[];
    words tsvector := '';
begin
    foreach field in array string_to_array(fields, ' ') loop
        path := '{}';
        if field <> '*' then
            select array_agg(replace(replace(p.token, '~1', '/'), '~0', '~') order by p.nth) into path
            from unnest(string_to_array(substr(field, 2), '/')) with ordinality p (token, nth);
        end if;
        words := words || coalesce(jsonb_to_tsvector('simple', document #> path, '["string", "numeric"]'), '');
    end loop;
    return words;
exception when data_exception or program_limit_exceeded then
    return null;
end $$;

comment on function audit.words(json, text) is 'The words of these fields of the payload; null when they are more than a tsvector holds.';

-- An index over them is filled by whoever inserts.
revoke all on function audit.without_protected(jsonb), audit.searchable(json), audit.words(json, text) from public;
grant execute on function audit.without_protected(jsonb), audit.searchable(json), audit.words(json, text)
    to audit_api, audit_ingestor;
