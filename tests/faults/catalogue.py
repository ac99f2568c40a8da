"""The faults, one line each: what is broken, which claim must fail, and the words that its message must have. Data.

A fault's `id` is also how it is made: the stand-in's switch of that name, else the act of that name in `acts.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Layer = Literal[
    "checkpoint", "quantization", "launch", "server", "protocol", "model behaviour", "VRAM", "client", "host", "report",
]  # fmt: skip

ACCEPTED: Final = "accepted"
"""In place of a claim: this must not matter, and the deployment is accepted."""

REFUSED: Final = "refused"
"""In place of a claim: pytest ends with a usage error before anything is started."""

INTERRUPTED: Final = "interrupted"
KILLED: Final = "killed"
"""In place of a claim: the verdict's reason, where no claim can be judged any more."""

FULL: Final = "full"
"""In place of a claim: the report cannot be written, and pytest says why."""

SEALED: Final = "sealed"
"""In place of a claim: `python -m fixtures.evidence verify` refuses the folder."""

HEALTHY_RUNS: Final = 50
"""Runs without a fault, each with a model that says something else."""

RUN: Final = 60.0
"""Seconds for a whole run with a fault that is not a matter of time; alone on two cores it takes four."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    :param claim: the claim of `fixtures/run/claims.py` that fails first, or one of the words above.
    :param words: all of them stand in the message of that claim.
    :param within: seconds from the fault, or from the start of the run, to the verdict on that claim.
    """

    id: str
    layer: Layer
    breaks: str
    claim: str
    words: tuple[str, ...] = ()
    within: float = RUN


SMALLER: Final = "quantization.smaller"
CONFIG: Final = "quantization.config"
ARTEFACT: Final = "quantization.artefact"
KEY: Final = "server.requires_key"
NAMED: Final = "server.named_model"
CHINESE: Final = "chat.replies_in_chinese"
HEROES: Final = "chat.tells_of_fox_and_watermelon"
ENDS: Final = "chat.ends_by_itself"
LEAKS: Final = "chat.leaks_no_special_token"
ADD: Final = "tools.add"
MULTIPLY: Final = "tools.multiply"
CHAIN: Final = "tools.chain"
READY: Final = "vram.after_start"
PEAK: Final = "vram.peak"
RELEASED: Final = "vram.released"
ENVIRONMENT: Final = "environment.recorded"
STREAMED: Final = "tools.streamed"
SAME: Final = "chat.streams_the_same"
WHOLE: Final = "chat.streams_whole_characters"

# fmt: off
FAULTS: Final = (
    # The checkpoint
    Fault("checkpoint-missing", "checkpoint", "the folder does not exist", SMALLER, ("does not exist", "--checkpoint")),
    Fault("checkpoint-dangling-link", "checkpoint", "the folder is a link to nothing", SMALLER, ("a symbolic link to nothing",)),
    Fault("checkpoint-is-a-file", "checkpoint", "a file in place of the folder", SMALLER, ("the checkpoint is a file",)),
    Fault("lfs-pointer", "checkpoint", "weights are a Git-LFS pointer", SMALLER, ("Git-LFS pointer", "git lfs pull")),
    Fault("lfs-pointer-tokenizer", "checkpoint", "the tokenizer is a Git-LFS pointer", SMALLER, ("tokenizer.json is a Git-LFS pointer",)),
    Fault("shard-truncated", "checkpoint", "a shard is cut short", SMALLER, ("truncated", "download the file again")),
    Fault("shard-missing", "checkpoint", "a shard of the index is missing", SMALLER, ("1 of 2 shards are missing", "model-00002")),
    Fault("shard-too-long", "checkpoint", "bytes follow the last tensor", SMALLER, ("too long",)),
    Fault("index-of-another-download", "checkpoint", "the index names a tensor that no shard has", SMALLER, ("are in no shard",)),
    Fault("config-not-json", "checkpoint", "config.json is cut short", SMALLER, ("config.json is not JSON",)),
    Fault("config-missing", "checkpoint", "there is no config.json", SMALLER, ("there is no config.json",)),
    Fault("another-architecture", "checkpoint", "a Llama in place of an InternLM2", SMALLER, ("LlamaForCausalLM", "not InternLM2ForCausalLM")),
    Fault("tokenizer-missing", "checkpoint", "there is no tokenizer", SMALLER, ("the checkpoint has no tokenizer",)),
    Fault("weights-missing", "checkpoint", "there are no weights", SMALLER, ("the checkpoint has no weights",)),
    # Quantization
    Fault("quantizer-out-of-memory", "quantization", "auto_awq runs out of GPU memory", SMALLER, ("auto_awq", "exit code 1", "CUDA out of memory")),
    Fault("quantizer-killed", "quantization", "auto_awq is killed by the kernel", SMALLER, ("exit code 137",)),
    Fault("quantizer-hangs", "quantization", "auto_awq does not end", SMALLER, ("did not end within 3 s", "17%"), 3 + RUN),
    Fault("quantizer-asks-a-question", "quantization", "auto_awq wants an answer from the terminal", SMALLER, ("exit code 1", "EOFError")),
    Fault("eight-bits", "quantization", "8 bits in place of 4", SMALLER, ("another quantization than asked", "bits 8")),
    Fault("groups-of-64-said", "quantization", "groups of 64, and config.json says so", SMALLER, ("another quantization than asked", "group_size 64")),
    Fault("not-awq", "quantization", "GPTQ in place of AWQ", SMALLER, ("another quantization than asked", "gptq")),
    Fault("quantization-config-missing", "quantization", "config.json has no quantization_config", SMALLER, ("another quantization than asked", "None")),
    Fault("result-truncated", "quantization", "the weights that auto_awq wrote are cut short", SMALLER, ("auto_awq left no whole checkpoint", "truncated")),
    Fault("result-without-weights", "quantization", "auto_awq exits 0 and wrote no weights", SMALLER, ("auto_awq left no whole checkpoint", "no weights")),
    Fault("result-without-tokenizer", "quantization", "auto_awq did not copy the tokenizer", SMALLER, ("auto_awq left no whole checkpoint", "no tokenizer")),
    Fault("result-empty", "quantization", "auto_awq exits 0 and wrote nothing", SMALLER, ("ended without an error and wrote nothing",)),
    Fault("unquantized-passed-off-as-awq", "quantization", "config.json says AWQ, the weights are bf16", SMALLER, ("nothing was quantized",)),
    Fault("calibration-text-too-short", "quantization", "three texts calibrate", SMALLER, ("the calibration is too little",)),
    Fault("tokenizer-knows-no-chinese", "quantization", "the tokenizer does not know the calibration text", SMALLER, ("cannot encode the calibration text",)),
    Fault("a-scale-that-is-not-a-number", "quantization", "a scale is NaN", ARTEFACT, ("model.layers.1.attention.wqkv has a scale that is not finite",)),
    Fault("a-scale-set-to-zero", "quantization", "a scale is zero", ARTEFACT, ("has a scale that is zero",)),
    Fault("groups-of-64-labelled-128", "quantization", "groups of 64, and config.json says 128", ARTEFACT, ("groups of 64, and config.json declares 128",)),
    Fault("8-bits-labelled-4", "quantization", "8 bits, and config.json says 4", ARTEFACT, ("holds 8 bits a weight",)),
    Fault("a-layer-left-unquantized", "quantization", "one layer is still bf16", ARTEFACT, ("was left unquantized",)),
    Fault("the-second-bit-of-a-code-flipped", "quantization", "one bit of one weight is wrong", ARTEFACT, ("has a code that is not its",)),
    Fault("codes-packed-in-plain-order", "quantization", "weights are packed in another order", ARTEFACT, ("is packed in the order 0 1 2 3 4 5 6 7",)),
    Fault("w1-and-w3-swapped", "quantization", "two layers are swapped", ARTEFACT, ("holds the weights of the source's model.layers.1.feed_forward.w3",)),
    Fault("the-head-quantized", "quantization", "the output head is quantized too", ARTEFACT, ("is quantized, and auto_awq leaves it",)),
    # Launch
    Fault("lmdeploy-not-installed", "launch", "the environment has no lmdeploy", ENVIRONMENT, ("lmdeploy is not installed",)),
    Fault("lmdeploy-too-old", "launch", "lmdeploy 0.4.2", ENVIRONMENT, ("0.4.2 is older than the homework's 0.5.3",)),
    Fault("program-missing", "launch", "there is no lmdeploy program", SMALLER, ("there is no `lmdeploy` program",)),
    Fault("argument-unknown", "launch", "the api_server does not know an argument", NAMED, ("exited with code 2", "unrecognized arguments", "does not take that argument"), 2.0),
    Fault("turbomind-cannot-be-loaded", "launch", "lmdeploy takes its PyTorch engine, as TurboMind cannot be loaded", NAMED, ("PyTorch engine, not TurboMind", "turbomind is not built", ".log:2", "import _turbomind", "--backend pytorch"), 2.0),
    Fault("turbomind-lacks-the-model", "launch", "lmdeploy takes its PyTorch engine, as TurboMind lacks the model", NAMED, ("PyTorch engine, not TurboMind", "not supported by turbomind engine", "--backend pytorch"), 2.0),
    Fault("dies-at-start", "launch", "the api_server dies with a traceback", NAMED, ("exited with code 1 before it was ready", "no kernel image is available"), 2.0),
    Fault("killed-while-loading", "launch", "the api_server is killed while it loads", NAMED, ("was killed by SIGKILL", "before it was ready"), 2.0),
    Fault("crashes-while-loading", "launch", "the api_server aborts while it loads", NAMED, ("was killed by SIGABRT", "std::runtime_error"), 2.0),
    Fault("ends-at-once", "launch", "the api_server ends with code 0", NAMED, ("exited with code 0 before it was ready",), 2.0),
    Fault("asks-a-question-at-start", "launch", "the api_server wants an answer from the terminal", NAMED, ("EOFError",), 2.0),
    Fault("loads-for-ever", "launch", "the api_server never listens", NAMED, ("was not ready after", "nothing listens on its port", "42%"), 8.0),
    Fault("listens-on-another-port", "launch", "the api_server listens elsewhere", NAMED, ("was not ready after", "nothing listens on its port"), RUN),
    Fault("out-of-memory-at-start", "launch", "another program holds most of the GPU", NAMED, ("out of memory", "free the GPU")),
    Fault("stranger-on-the-port", "launch", "a stranger listens on the port", NAMED, ("is taken by process",)),
    Fault("stranger-comes-while-loading", "launch", "a stranger takes the port while the server loads", NAMED, ("is taken by process",)),
    # Server
    Fault("health-never-200", "server", "/health says 503 for ever", NAMED, ("was not ready after", "GET /health: status 503")),
    Fault("health-without-answer", "server", "/health hangs", NAMED, ("was not ready after", "GET /health: no answer")),
    Fault("model-list-empty", "server", "the list of models is empty", NAMED, ("names the models none",)),
    Fault("model-list-not-json", "server", "the list of models is a web page", NAMED, ("names the models none",)),
    Fault("another-model-named", "server", "the server answers for another checkpoint", NAMED, ("names the models 'internlm2-chat-7b'",)),
    Fault("no-model-named", "server", "the model's name is empty", NAMED, ("names the models ''",)),
    Fault("two-models", "server", "the server names a second model", NAMED, ("internlm2-chat-7b",)),
    Fault("engine-dead-health-200", "server", "/health says 200 and every answer is 500", CHINESE, ("HTTP 500",)),
    Fault("engine-asleep", "server", "every answer is 503", CHINESE, ("HTTP 503",)),
    Fault("every-third-request-500", "server", "every third answer is 500", ADD, ("HTTP 500",)),
    Fault("every-tenth-request-500", "server", "every tenth answer is 500", MULTIPLY, ("HTTP 500",)),
    Fault("key-not-asked-for", "server", "the server answers without a key", KEY, ("200", "401")),
    Fault("key-refused", "server", "the server asks for a key that the suite has not", CHINESE, ("HTTP 401",)),
    Fault("dies-at-the-first-question", "server", "the engine aborts in the first answer", CHINESE, ("was killed by SIGABRT", "in use", "misaligned address"), 5.0),
    Fault("dies-in-the-third-answer", "server", "the engine aborts in the third test that asks", ADD, ("was killed by SIGABRT", "in use"), 5.0),
    Fault("killed-in-mid-request", "server", "the api_server is killed while it answers", CHINESE, ("was killed by SIGKILL", "in use"), 5.0),
    Fault("tool-parser-not-started", "server", "the server runs without --tool-call-parser", ADD, ("HTTP 400", "--tool-call-parser")),
    # Client: what comes over the wire
    Fault("hangs-before-the-headers", "client", "no answer comes", CHINESE, ("no whole answer within 2 s",), 12.0),
    Fault("hangs-after-the-headers", "client", "headers come, no body", CHINESE, ("no whole answer within 2 s",), 12.0),
    Fault("body-never-ends", "client", "a blank comes every now and then, for ever", CHINESE, ("no whole answer within 2 s",), 12.0),
    Fault("body-cut-short", "client", "the connection closes in mid answer", CHINESE, ("APIConnectionError",)),
    Fault("html-in-place-of-json", "client", "a proxy's web page with status 200", CHINESE, ("the answer is not JSON", "502 Bad Gateway")),
    Fault("answer-packed", "client", "answers are packed with gzip", ACCEPTED),
    Fault("answer-packed-without-being-so", "client", "an answer says that it is gzip, and is not", CHINESE, ("says that it is gzip, and it is not",)),
    Fault("gzip-bomb", "client", "200 MiB in 200 KiB", CHINESE, ("larger than 8 MiB when unpacked",)),
    Fault("answer-of-10-mib", "client", "an answer of 10 MiB", CHINESE, ("larger than 8 MiB when unpacked",)),
    Fault("answer-nested-100000-deep", "client", "an answer of 100,000 brackets", CHINESE, ("nested deeper than 64 levels",)),
    Fault("number-of-5000-digits", "client", "a number of 5,000 digits", CHINESE, ("a number of 5000 digits",)),
    Fault("number-that-is-none", "client", "NaN, which Python's JSON takes", CHINESE, ("the number NaN, which is no JSON",)),
    Fault("status-202", "client", "HTTP 202 with a right answer", CHINESE, ("HTTP 202, not 200",)),
    Fault("answer-said-to-be-html", "client", "Content-Type text/html for JSON", CHINESE, ("text/html", "not application/json")),
    Fault("redirected", "client", "the server sends the request elsewhere", CHINESE, ("HTTP 307, http://elsewhere.example/v1/chat/completions", "not followed")),
    Fault("proxy-variables", "client", "http_proxy and its kin name a dead proxy", ACCEPTED),
    # Protocol
    Fault("no-choices", "protocol", "an answer without a choice", CHINESE, ("without a choice",)),
    Fault("message-missing", "protocol", "a choice without a message", CHINESE, ("without a choice that holds a message",)),
    Fault("usage-missing", "protocol", "no usage", CHINESE, ("the answer has no usage",)),
    Fault("usage-of-zero", "protocol", "usage counts nothing", CHINESE, ("usage counts no tokens",)),
    Fault("usage-does-not-add-up", "protocol", "total tokens are not the sum", CHINESE, ("usage does not add up",)),
    Fault("finish-reason-stop-beside-a-call", "protocol", "finish_reason `stop` beside a call", ADD, ("finish_reason is 'stop', not 'tool_calls'",)),
    Fault("finish-reason-null", "protocol", "finish_reason null", CHINESE, ("finish_reason is null",)),
    Fault("finish-reason-missing", "protocol", "no finish_reason", CHINESE, ("finish_reason is null",)),
    Fault("call-left-in-content", "protocol", "the call stays in the text", ADD, ("left in the reply's text",)),
    Fault("call-lost", "protocol", "the parser drops the call", ADD, ("the model called no tool",)),
    Fault("call-twice-with-one-id", "protocol", "two calls with one id", ADD, ("the id of a call is not its own",)),
    Fault("call-without-id", "protocol", "a call without an id", ADD, ("a call has no id",)),
    Fault("special-token-beside-a-call", "protocol", "a special token beside the call", ADD, ("special tokens or other traces are in the text", "<|action_end|>")),
    Fault("arguments-not-json", "protocol", "arguments are cut short", ADD, ("are not JSON",)),
    Fault("arguments-are-a-list", "protocol", "arguments are a list", ADD, ("no JSON object",)),
    Fault("arguments-are-an-object", "protocol", "arguments are an object, not its text", ADD, ("a JSON text is asked for",)),
    Fault("content-null", "protocol", "the reply's text is null", CHINESE, ("usage counts",)),
    Fault("fields-of-other-servers", "client", "vLLM's fields, and tool_calls [] for none", ACCEPTED),
    Fault("answer-of-another-model", "protocol", "the answer names another model", CHINESE, ("by the model gpt-4o", "internlm2_5-1_8b-chat was asked")),
    Fault("answer-from-the-year-2100", "protocol", "the answer was created in the year 2100", CHINESE, ("created at 4102444800",)),
    Fault("answer-without-id", "protocol", "the answer's id is empty", CHINESE, ("the answer's id",)),
    Fault("answer-of-another-kind", "protocol", "the answer's object is text_completion", CHINESE, ("text_completion, not chat.completion",)),
    Fault("error-beside-the-answer", "protocol", "an error beside a right answer", CHINESE, ("an error beside the answer", "CUDA out of memory")),
    Fault("refusal-beside-the-answer", "protocol", "a refusal beside a right answer", CHINESE, ("a refusal beside the answer",)),
    Fault("second-choice", "protocol", "two choices", CHINESE, ("2 choices, not one",)),
    Fault("choice-number-7", "protocol", "the only choice has the index 7", CHINESE, ("the index 7, not 0",)),
    Fault("role-of-the-user", "protocol", "the reply's role is user", CHINESE, ("role is user, not assistant",)),
    Fault("content-in-parts", "protocol", "the reply's text is a list of parts", CHINESE, ("a text or null is asked for",)),
    Fault("usage-of-booleans", "protocol", "usage counts in booleans", CHINESE, ("usage counts no tokens", "true")),
    Fault("usage-the-same-for-all", "protocol", "usage is 1, 1, 2 for every answer", CHINESE, ("1 tokens for a reply of",)),
    Fault("usage-of-a-billion", "protocol", "usage counts more tokens than the reply has bytes", CHINESE, ("1000000000 tokens for a reply of",)),
    Fault("calls-are-an-object", "protocol", "tool_calls is a call in place of a list", ADD, ("a list or null is asked for",)),
    Fault("call-is-null-once", "protocol", "one answer has null in place of a call, the next are right", ADD, ("null in tool_calls is no call",)),
    Fault("call-of-another-type", "protocol", "a call's type is plugin", ADD, ("is no call, which has an id, the type function",)),
    Fault("call-with-a-list-as-id", "protocol", "a call's id is a list", ADD, ("a call has no id",)),
    Fault("calls-of-all-turns-with-one-id", "protocol", "the calls of a chain share an id", CHAIN, ("the id of a call is not its own: call_1",)),
    Fault("call-with-a-list-as-name", "protocol", "a called function's name is a list", ADD, ("which is no text",)),
    Fault("call-without-arguments", "protocol", "a call's arguments are null", ADD, ("the arguments of a call are null",)),
    Fault("argument-given-twice", "protocol", "an argument is given twice", ADD, ("add was given an argument twice",)),
    Fault("story-beside-a-call", "protocol", "a long text beside a call", ADD, ("characters stand beside a call, and 300 may",)),
    Fault("stream-splits-a-character", "protocol", "a stream is cut in the middle of a character", WHOLE, ("pieces of the stream hold a broken character",)),
    Fault("stream-never-ends", "protocol", "a stream goes on for ever", SAME, ("no whole answer within 2 s",), 10.0),
    Fault("stream-breaks-off", "protocol", "a stream breaks off in a chunk", SAME, ("JSONDecodeError",)),
    Fault("stream-loses-a-piece", "protocol", "a stream loses a piece", SAME, ("from character",)),
    Fault("stream-without-usage", "protocol", "a stream without usage", SAME, ("no usage",)),
    Fault("stream-without-finish-reason", "protocol", "a stream without finish_reason", SAME, ("finish_reason came 0 times",)),
    Fault("stream-goes-on-after-the-reason", "protocol", "content after the finish_reason", SAME, ("content follows the finish reason",)),
    Fault("stream-in-one-piece", "protocol", "a stream that comes in one piece", SAME, ("one piece, which is no stream",)),
    Fault("stream-of-a-name-in-parts", "protocol", "a function's name in two deltas", STREAMED, ("came in 2 deltas",)),
    # Behaviour of the model
    Fault("add-and-mul-swapped", "model behaviour", "add and mul are swapped", ADD, ("called mul(3, 5), expected add(3, 5)",)),
    Fault("digit-doubled", "model behaviour", "an operand's last digit is repeated", ADD, ("called add(3, 55), expected add(3, 5)",)),
    Fault("right-numbers-wrong-order", "model behaviour", "the right calls in the wrong order", CHAIN, ("called mul(8, 2) → add(3, 5), expected add(3, 5) → mul(8, 2)",)),
    Fault("chain-stops-after-add", "model behaviour", "the chain ends after its first call", CHAIN, ("called add(3, 5), expected add(3, 5) → mul(8, 2)",)),
    Fault("chain-ignores-the-result", "model behaviour", "the second call does not take the first result", CHAIN, ("→ mul(5, 2)",)),
    Fault("calls-without-end", "model behaviour", "the model never stops calling", ADD, ("still calling tools after 6 turns",)),
    Fault("answers-without-the-tool", "model behaviour", "the model works it out itself", ADD, ("the model called no tool", "3+5=8")),
    Fault("final-number-wrong", "model behaviour", "the last sentence names another number", ADD, ("names 18",)),
    Fault("unknown-function", "model behaviour", "a function that was not offered", ADD, ("the model called multiply, which was not offered",)),
    Fault("argument-invented", "model behaviour", "an argument too many", ADD, ("'c' was unexpected",)),
    Fault("argument-missing", "model behaviour", "an argument too few", ADD, ("'b' is a required property",)),
    Fault("arguments-as-strings", "model behaviour", "arguments are strings", ADD, ("'3' is not of type 'integer'",)),
    Fault("arguments-as-floats", "model behaviour", "arguments are floats", ADD, ("3.0 is not of type 'integer'",)),
    Fault("arguments-as-booleans", "model behaviour", "arguments are booleans", ADD, ("argument a of add is true, a boolean in place of an integer",)),
    Fault("argument-of-a-thousand-digits", "model behaviour", "an argument of a thousand digits", ADD, ("usage counts 28 tokens",)),
    Fault("reply-in-english", "model behaviour", "the reply is English", CHINESE, ("only 0% of the letters are Chinese", "Once upon a time")),
    Fault("reply-half-english", "model behaviour", "the reply turns into English", CHINESE, ("of the letters are Chinese", "Once upon a time")),
    Fault("story-of-a-rabbit", "model behaviour", "a story about something else", HEROES, ("the story lacks 狐狸; 西瓜",)),
    Fault("reply-too-short", "model behaviour", "one sentence for a story", CHINESE, ("6 characters can tell no story",)),
    Fault("reply-empty", "model behaviour", "the reply is empty", CHINESE, ("the reply is empty",)),
    Fault("reply-cut-off", "model behaviour", "the reply is cut at max_tokens", ENDS, ("finish_reason is 'length', not 'stop'",)),
    Fault("special-token-leaked", "model behaviour", "<|im_end|> in the reply", ENDS, ("<|im_end|>",)),
    Fault("placeholder-token-leaked", "model behaviour", "[UNUSED_TOKEN_145] in the reply", LEAKS, ("[UNUSED_TOKEN_145]",)),
    Fault("broken-characters", "model behaviour", "a broken character in the reply", LEAKS, ("1 special tokens",)),
    Fault("one-character-repeated", "model behaviour", "one character without end", CHINESE, ("do not follow one another as in Chinese",)),
    Fault("phrase-repeated", "model behaviour", "a phrase without end", ENDS, ("breaks off in the middle of a sentence",)),
    Fault("garbage", "model behaviour", "letters of all alphabets", CHINESE, ("of the letters are Chinese",)),
    # Memory
    Fault("kv-share-of-0.8", "VRAM", "0.8 of the free memory in place of 0.4", READY, ("at most expected", "KV share of 0.8")),
    Fault("kv-cache-too-small", "VRAM", "0.1 of the free memory in place of 0.4", READY, ("at least expected", "KV share of 0.1")),
    Fault("serves-unquantized-weights", "VRAM", "3.6 GiB of bf16 weights are served", READY, ("at most expected", "not quantized")),
    Fault("memory-grows-with-requests", "VRAM", "every answer leaves 700 MiB behind", PEAK, ("in use at peak", "had set aside")),
    Fault("memory-not-released", "VRAM", "900 MiB are left when the server is gone", RELEASED, ("900 MiB are still in use",), 15 + RUN),
    Fault("another-program-comes", "VRAM", "another program takes 8 GiB while the server loads", READY, ("another process on the GPU",)),
    Fault("gpu-lost", "VRAM", "the GPU is lost while the server answers", READY, ("was not measured all the time", "lost")),
    Fault("gpu-hangs", "VRAM", "the driver stops answering", READY, ("was not measured all the time", "has not answered for"), 20 + RUN),
    Fault("memory-not-available", "VRAM", "NVML answers that the figure is not available", READY, ("was not measured all the time", "not available")),
    Fault("nvml-missing", "VRAM", "there is no NVML", ENVIRONMENT, ("NVML is missing", "install the NVIDIA driver")),
    Fault("driver-not-loaded", "VRAM", "the driver is not loaded", ENVIRONMENT, ("not loaded", "nvidia-smi")),
    Fault("driver-updated", "VRAM", "the driver was updated while loaded", ENVIRONMENT, ("updated while loaded", "restart the machine")),
    Fault("no-gpu", "VRAM", "the driver lists no GPU", ENVIRONMENT, ("there is no GPU", "--rehearse")),
    Fault("gpu-hidden", "VRAM", "CUDA_VISIBLE_DEVICES hides every GPU", ENVIRONMENT, ("hides every GPU",)),
    Fault("gpu-out-of-range", "VRAM", "CUDA_VISIBLE_DEVICES names a GPU that is not there", ENVIRONMENT, ("GPU 7 is out of range",)),
    Fault("another-gpu-measured", "VRAM", "the server uses another GPU than the one that is visible", READY, ("at least expected", "another GPU")),
    # The cache of quantized checkpoints, as an earlier run left it
    Fault("cached-weights-truncated", "quantization", "cached weights were cut short later", SMALLER, ("cached W4A16 checkpoint is damaged", "truncated", "delete that folder")),
    Fault("cached-weights-altered", "quantization", "one byte of the cached weights was changed later", SMALLER, ("a file in it has changed since", "delete that folder")),
    Fault("cached-note-broken", "quantization", "the cache's own note is cut short", SMALLER, ("cached W4A16 checkpoint is damaged", "made.json", "delete that folder")),
    # The machine
    Fault("no-space-for-the-result", "host", "the disk is full before the weights are written", SMALLER, ("No space left on device",)),
    Fault("no-space-for-the-evidence", "host", "the disk is full before the report is written", FULL, ("No space left on device",)),
    Fault("no-space-for-the-events", "host", "the disk is full in the middle of the run", FULL, ("the folder of --evidence-dir cannot be written", "No space left on device")),
    Fault("file-size-limited", "host", "files may not grow beyond 256 KiB", SMALLER, ("cannot be written: File too large",)),
    Fault("read-only-cache", "host", "the work directory is mounted read-only", SMALLER, ("Read-only file system", "--work-dir")),
    Fault("two-runs-on-one-cache", "host", "two runs quantize one checkpoint at once", ACCEPTED),
    Fault("pytest-killed-while-quantizing", "host", "kill -9 in the middle of the quantization", ACCEPTED),
    Fault("pytest-interrupted-while-quantizing", "host", "Ctrl-C in the middle of the quantization", INTERRUPTED, ("SIGINT",)),
    Fault("pytest-interrupted-while-starting", "host", "Ctrl-C while the server starts", INTERRUPTED, ("SIGINT",)),
    Fault("pytest-terminated-in-mid-request", "host", "SIGTERM while the server answers", INTERRUPTED, ("SIGTERM",)),
    Fault("pytest-killed-in-mid-request", "host", "kill -9 while the server answers", KILLED),
    Fault("clock-jumps", "host", "the clock jumps by an hour, forth and back", ACCEPTED),
    Fault("locale-c", "host", "no locale but C, and no UTF-8 mode", ACCEPTED),
    Fault("path-with-spaces-and-chinese", "host", "suite, cache and evidence below 我的 作业 (1)", ACCEPTED),
    Fault("home-missing", "host", "$HOME does not exist", ACCEPTED),
    Fault("worker-left-behind", "host", "the server leaves a worker behind in a session of its own", ACCEPTED),
    Fault("ignores-the-stop-signal", "host", "the server does not stop when told", ACCEPTED),
    # The report
    Fault("claim-deselected", "report", "a claim is left out with -k", CHAIN),
    Fault("another-kv-cache", "report", "the run is one with int8 KV", "other_deployment", ("--quant-policy 4",)),
    Fault("run-without-report-plugin", "report", "-p no:html", REFUSED, ("the report is made by pytest-html",)),
    Fault("run-without-cache-plugin", "report", "-p no:cacheprovider", REFUSED, ("pytest-xprocess keeps its process folder in pytest's cache",)),
    Fault("run-on-two-workers", "report", "-n 2 on one GPU", REFUSED, ("-n 2 takes 2 GPUs, visible: 1",)),
    Fault("option-without-sense", "report", "--quant-policy 5", REFUSED, ("must be 0 (16-bit KV cache), 4 (int4) or 8 (int8)",)),
    Fault("evidence-edited", "report", "a failed claim is edited into a passed one", SEALED, ("events.jsonl: ",)),
    Fault("report-edited", "report", "the report's verdict is edited", SEALED, ("report.html: ",)),
    Fault("old-report-in-place", "report", "a killed run finds an accepted report under its name", KILLED),
)
# fmt: on

AT_NIGHT: Final = frozenset({
    "checkpoint-is-a-file", "shard-too-long", "index-of-another-download", "config-missing", "weights-missing",
    "quantizer-asks-a-question", "groups-of-64-said", "not-awq", "result-without-tokenizer", "a-scale-set-to-zero",
    "w1-and-w3-swapped", "the-head-quantized", "turbomind-lacks-the-model", "crashes-while-loading",
    "listens-on-another-port", "no-model-named", "two-models", "engine-asleep", "every-third-request-500",
    "message-missing", "usage-of-zero",
    "finish-reason-missing", "arguments-are-a-list", "arguments-are-an-object", "stream-loses-a-piece",
    "stream-goes-on-after-the-reason", "arguments-as-booleans", "argument-missing", "reply-half-english",
    "answer-from-the-year-2100", "answer-without-id", "answer-of-another-kind", "refusal-beside-the-answer",
    "choice-number-7", "role-of-the-user", "content-in-parts", "usage-of-booleans", "usage-of-a-billion",
    "call-of-another-type", "call-with-a-list-as-id", "call-with-a-list-as-name", "call-without-arguments",
    "answer-of-10-mib", "number-that-is-none",
    "placeholder-token-leaked", "driver-updated", "gpu-out-of-range", "home-missing",
})  # fmt: skip
"""Faults that go the way of another one of the catalogue: CI leaves them to the night, to stay below ten minutes."""
