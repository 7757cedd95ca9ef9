#!/usr/bin/env bash
# Makes the secrets that docker-compose.yml reads, once: what is there already is kept.
# The folder is closed to everybody else; the files are not, because a service reads its own under
# a user of its own, which is not the one who runs this.
set -euo pipefail
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
chmod 700 secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() {
  [ -s "secrets/$1" ] && return
  printf '%s' "$2" >"secrets/$1.new"
  chmod 444 "secrets/$1.new"
  mv "secrets/$1.new" "secrets/$1"
}
keep postgres_password "$(random)"
keep bellwether_password "$(random)"
keep mlflow_password "$(random)"
keep redis_password "$(random)"
keep s3_access_key "$(random)"
keep s3_secret_key "$(random)"
keep database_url "postgresql+psycopg://bellwether:$(cat secrets/bellwether_password)@postgres:5432/bellwether"
keep mlflow_store_uri "postgresql+psycopg://mlflow:$(cat secrets/mlflow_password)@postgres:5432/mlflow"
keep redis_conf "requirepass $(cat secrets/redis_password)"
keep redis_url "redis://:$(cat secrets/redis_password)@redis:6379/0"
