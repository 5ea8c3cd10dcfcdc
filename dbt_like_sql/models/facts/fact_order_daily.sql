select
    customer_order.tenant_id,
    customer_order.date,
    customer_order.product_code,
    customer_order.customer_code,
    count(*)::integer as order_count,
    sum(customer_order.order_qty) as ordered_qty,
    sum(customer_order.delivered_qty) as delivered_qty,
    sum(
        case
            when customer_order.delivered_qty = 0 then 0
            when customer_order.delivered_date <= customer_order.delivery_date then customer_order.delivered_qty
            when customer_order.delivered_date > customer_order.delivery_date then 0
        end
    ) as delivered_on_time_qty,
    sum(
        case
            when customer_order.status in ('cancelled', 'closed') then 0
            when customer_order.delivered_qty >= customer_order.order_qty then 0
            else customer_order.order_qty - customer_order.delivered_qty
        end
    ) as open_qty
from staging.stg_order as customer_order
where customer_order.date between :from_date and :to_date
group by
    customer_order.tenant_id, customer_order.date, customer_order.product_code, customer_order.customer_code
