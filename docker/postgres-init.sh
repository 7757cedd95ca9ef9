#!/usr/bin/env bash
# Runs once, on an empty database server: a role and a database of its own for each client.
set -euo pipefail
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set bellwether_password `cat /run/secrets/bellwether_password`
\set mlflow_password `cat /run/secrets/mlflow_password`
CREATE ROLE bellwether LOGIN PASSWORD :'bellwether_password';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow_password';
CREATE DATABASE bellwether OWNER bellwether ENCODING 'UTF8' TEMPLATE template0;
CREATE DATABASE mlflow OWNER mlflow ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE bellwether, mlflow FROM PUBLIC;
SQL
