"""Stands in for `lmdeploy chat`: prompts, reads up to an empty line, answers; `exit` ends it with the code given."""

import sys
import time

HOW = sys.argv[1]


def read() -> str:
    print("\ndouble enter to end input >>> ", end="")
    return "\n".join(iter(input, ""))


if HOW == "dies":
    sys.exit("no CUDA here")
if HOW == "busy":
    print("double enter to end input >>> ", end="", flush=True)
    time.sleep(60)
while (prompt := read()) != "exit":
    print(f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n" if HOW == "old" else "", end="")
    print(f"狐狸问：{prompt[-2:]}", flush=True)
sys.exit(3 if HOW == "fails" else 0)
