#!/usr/bin/env bash
# The homework by hand, in the words of lmdeploy 0.13.0 and later: quantize, serve, ask, stop. No test, no report.
# What the suite costs is measured against it (python -m tools.overhead); it is of use by itself, too:
#
#   CHECKPOINT=/root/models/internlm2_5-1_8b-chat WORK=/tmp/by-hand REQUESTS=/tmp/asked.jsonl bash tools/overhead/bare.sh
#
# CHECKPOINT   folder of the checkpoint
# WORK         folder for the W4A16 checkpoint, which is kept: a second run only serves it
# REQUESTS     file with a request's body on each line, by its whole path
# DATA         folder with a local copy of the calibration set; without it the hub's is loaded
# TEMPLATE     chat template for the served folder; without it the checkpoint's own stays
# LMDEPLOY     the program, `lmdeploy` unless given
# SAMPLES, SEQLEN   of the calibration, the homework's 128 and 2048 unless given
# PORT         23333 unless given
# OVERLAP      if set, what is asked without functions, the story, is answered while the calls are asked
# It says when each step ended, in seconds since 1970.
set -euo pipefail
set -m # a background process of its own group: it gets SIGINT when it is meant to

name=internlm2_5-1_8b-chat
port=${PORT:-23333}
model=$WORK/$name-w4a16-4bit
read -ra lmdeploy <<<"${LMDEPLOY:-lmdeploy}"
echo "began $EPOCHREALTIME"

if [ ! -d "$model" ]; then
  mkdir -p "$WORK"
  cd "${DATA:-$WORK}"
  if [ -n "${DATA:-}" ]; then export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 HF_DATASETS_CACHE="$WORK/cache"; fi
  "${lmdeploy[@]}" lite auto_awq "$CHECKPOINT" \
    --calib-dataset wikitext2 --calib-samples "${SAMPLES:-128}" --calib-seqlen "${SEQLEN:-2048}" \
    --w-bits 4 --w-group-size 128 --batch-size 1 --trust-remote-code --work-dir "$model" >"$WORK/auto_awq.log" 2>&1
  if [ -n "${TEMPLATE:-}" ]; then cp "$TEMPLATE" "$model/chat_template.jinja"; fi
  unset HF_HUB_OFFLINE HF_DATASETS_OFFLINE HF_DATASETS_CACHE
fi
echo "quantize $EPOCHREALTIME"

"${lmdeploy[@]}" serve api_server "$model" \
  --model-format awq --quant-policy 4 --cache-max-entry-count 0.4 --server-name 127.0.0.1 --server-port "$port" \
  --tp 1 --model-name "$name" --tool-call-parser internlm --trust-remote-code >"$WORK/api_server.log" 2>&1 &
server=$!
trap 'kill -KILL -- -$server 2>/dev/null || true' EXIT

# Standard library only: a client that takes no time to start.
python3 -I -S - "$port" "$REQUESTS" "$server" <<'PYTHON'
import http.client, os, sys, threading, time

port, file, server = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def ask(path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST" if body else "GET", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()

while True:
    os.kill(server, 0)  # an error once it is gone
    try:
        if ask("/health")[0] == 200:
            break
    except OSError:
        pass
    time.sleep(0.1)
print("load", time.time())
ask("/v1/models")
lines, answered = list(open(file, "rb")), []

def complete(line):
    status, answer = ask("/v1/chat/completions", line)
    if status != 200:
        sys.exit(f"{status}: {answer[:500]}")
    answered.append(line)

aside = [line for line in lines if os.environ.get("OVERLAP") and b'"tools"' not in line]
threads = [threading.Thread(target=complete, args=(line,), daemon=True) for line in aside]
for thread in threads:
    thread.start()
for line in lines:
    if line not in aside:
        complete(line)
for thread in threads:
    thread.join()
if len(answered) < len(lines):
    sys.exit(f"{len(answered)} of {len(lines)} requests were answered")
print("tests", time.time())
PYTHON

kill -INT "$server"
wait "$server" || true
trap - EXIT
echo "stop $EPOCHREALTIME"
