-- Roles stay: other databases of the same server use them.
drop schema scratch cascade;
drop schema audit cascade;
drop schema bi cascade;
drop schema staging cascade;
drop schema core cascade;
alter default privileges grant execute on functions to public;
