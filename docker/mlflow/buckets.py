"""Make the buckets that are named and are not there yet, however long the server takes to come."""

import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

WAIT_S = 120.0
PAUSE_S = 1.0
OURS = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")

s3 = boto3.client(
    "s3", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
)
deadline = time.monotonic() + WAIT_S
for bucket in sys.argv[1:]:
    while True:
        try:
            s3.create_bucket(Bucket=bucket)
            sys.stdout.write(f"made {bucket}\n")
            break
        except ClientError as error:
            if error.response["Error"]["Code"] in OURS:
                sys.stdout.write(f"kept {bucket}\n")
                break
            why = str(error)
        except BotoCoreError as error:
            why = str(error)
        if time.monotonic() > deadline:
            sys.exit(f"{bucket} cannot be made: {why}")
        time.sleep(PAUSE_S)
