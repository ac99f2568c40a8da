"""`python -m tests.faults.lmdeploy ...` takes the command line of `lmdeploy` 0.18.0."""

import os
import sys


def main() -> None:
    """Quantize or serve, healthy or with the fault in $FAULT."""
    subcommand, argv = sys.argv[1:3], sys.argv[3:]
    fault = os.environ.get("FAULT", "")
    if subcommand == ["lite", "auto_awq"]:
        from tests.faults.lmdeploy import awq

        awq.main(argv, fault)
    elif subcommand == ["serve", "api_server"]:
        from tests.faults.lmdeploy import server

        server.main(argv, fault)
    else:
        sys.exit(f"lmdeploy: error: invalid choice: {subcommand}")


if __name__ == "__main__":
    main()
