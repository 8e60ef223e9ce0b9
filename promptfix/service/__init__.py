"""promptfix over HTTP: an OpenAI-compatible endpoint that repairs prompts before answering them.

    app.py        `create_app(pipeline, settings)`: everything put together
    settings.py   what can be chosen
    routes/       what each address does: answers, prompts, models, traces, detectors, health
    requests.py   a request as it came: its bytes, what they say, what it wishes of promptfix
    modes.py      how far to go with it
    limits.py     how many are worked on at once
    reading.py    looking at a prompt: one thread, a deadline, and never at the cost of an answer
    local.py      back end: the model that reads also answers; work.py says what is asked of it
    relaying.py   back end: another server answers; upstream.py is the connection to it
    replies.py    OpenAI's shapes; sse.py streams
    watch.py      figures, logs.py and kept traces
    failures.py   everything that goes wrong, in OpenAI's error shape
    spec.py       what the OpenAPI document says beyond what handlers declare
    keys.py       who may ask
    worker.py     a thread that runs a network
    serving.py    bind, then serve

Only this package imports litestar, and it never imports torch: a loaded pipeline is handed in.
"""
