drop function core.sum_of(jsonb);
