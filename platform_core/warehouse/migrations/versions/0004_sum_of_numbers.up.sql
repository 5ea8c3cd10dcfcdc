-- The sum of a JSON array of numbers; 0 for an empty one. A sub-query with an aggregate in a SELECT list is computed by
-- the leader alone, which made staging half as fast; a function that is parallel safe is not.
create function core.sum_of(numbers jsonb) returns numeric
language sql immutable strict parallel safe set search_path = pg_catalog as $$
    select coalesce(sum(number.value::numeric), 0) from jsonb_array_elements(numbers) as number(value)
$$;
