select
    day.date::date as date,
    extract(year from day.date)::integer as year,
    extract(quarter from day.date)::integer as quarter,
    extract(month from day.date)::integer as month,
    extract(week from day.date)::integer as week,
    extract(doy from day.date)::integer as day_of_year,
    extract(day from day.date)::integer as day_of_month,
    extract(dow from day.date)::integer as day_of_week,
    to_char(day.date, 'FMDay') as day_name,
    extract(isodow from day.date) >= 6 as is_weekend,
    false as is_holiday,
    null::text as holiday_name,
    extract(year from day.date)::integer as fiscal_year,
    extract(quarter from day.date)::integer as fiscal_quarter,
    extract(month from day.date)::integer as fiscal_month
from generate_series(timestamp '2020-01-01', timestamp '2035-12-31', interval '1 day') as day(date)
