"""A stand-in for the program `lmdeploy` that runs in a second without a GPU, and breaks in the way that $FAULT names.

`lite auto_awq` really quantizes, to plain round-to-nearest W4A16; `serve api_server` speaks the protocol of 0.18.0 as
it was recorded on a GPU and answers with arithmetic instead of a model. Healthy unless $FAULT says otherwise.
"""
