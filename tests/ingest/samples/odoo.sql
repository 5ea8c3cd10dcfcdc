create table mrp_workcenter (id integer primary key, code text, name text, active boolean, write_date timestamp);
create table mrp_production (id integer primary key, name text, state text, product_id integer, product_qty numeric,
    qty_producing numeric, date_start timestamp, date_finished timestamp, write_date timestamp, user_id integer,
    picking_type_id integer);
create table mrp_workorder (id integer primary key, name text, state text, production_id integer, workcenter_id integer,
    qty_produced numeric, date_start timestamp, date_finished timestamp, write_date timestamp);
create table product_product (id integer primary key, default_code text, product_tmpl_id integer, active boolean,
    write_date timestamp);
create table product_template (id integer primary key, name text, categ_id integer, uom_id integer, write_date timestamp);
create table product_category (id integer primary key, complete_name text);
create table uom_uom (id integer primary key, name text);
create table stock_picking_type (id integer primary key, sequence_code text);
create table stock_scrap (id integer primary key, state text, production_id integer, workorder_id integer,
    product_id integer, scrap_qty numeric);
create table mrp_workcenter_productivity_loss (id integer primary key, name text, loss_type text);
create table mrp_workcenter_productivity (id integer primary key, workcenter_id integer, workorder_id integer,
    user_id integer, loss_id integer, description text, date_start timestamp, date_end timestamp, duration numeric,
    write_date timestamp);
insert into mrp_workcenter values
    (1, 'ASM1', 'Assembly 1', true, '2025-03-01 00:00:00'), (2, null, 'Paint shop', false, '2025-03-02 00:00:00');
insert into product_product values
    (10, 'FURN_9666', 20, true, '2025-03-01 00:00:00'), (11, null, 21, true, '2025-03-01 00:00:00');
insert into product_template values
    (20, 'Table', 30, 40, '2025-03-03 00:00:00'), (21, 'A service', 30, 40, '2025-03-01 00:00:00');
insert into product_category values (30, 'All / Saleable');
insert into uom_uom values (40, 'Units');
insert into stock_picking_type values (8, 'MO');
insert into mrp_production values
    (100, 'WH/MO/00001', 'done', 10, 100, 98, '2025-03-05 00:00:00', '2025-03-05 04:30:00', '2025-03-05 04:31:00', 2, 8),
    (101, 'WH/MO/00002', 'progress', 10, 50, 0, '2025-03-05 05:00:00', null, '2025-03-05 05:00:00', 2, 8);
insert into mrp_workorder values
    (500, 'Assembly', 'done', 100, 1, 98, '2025-03-05 00:00:00', '2025-03-05 04:30:00', '2025-03-05 04:31:00'),
    (501, 'Assembly', 'progress', 101, 1, 0, '2025-03-05 05:00:00', null, '2025-03-05 05:00:00');
insert into stock_scrap values (1, 'done', 100, 500, 10, 3), (2, 'draft', 100, 500, 10, 9), (3, 'done', 100, 500, 11, 5);
insert into mrp_workcenter_productivity_loss values
    (1, 'Fully Productive Time', 'productive'), (2, 'Equipment Failure', 'availability'),
    (3, 'Setup and Adjustments', 'availability');
insert into mrp_workcenter_productivity values
    (900, 1, 500, 2, 3, null, '2025-03-05 00:00:00', '2025-03-05 00:20:00', 20, '2025-03-05 00:20:00'),
    (901, 1, 500, 2, 1, null, '2025-03-05 00:20:00', '2025-03-05 04:30:00', 250, '2025-03-05 04:30:00'),
    (902, 1, null, 2, 2, 'belt torn', '2025-03-05 06:00:00', null, 0, '2025-03-05 06:00:00');
