"""promptfix over HTTP: an OpenAI-compatible endpoint that repairs prompts before answering them.

    settings.py   what can be chosen: address, keys, limits
    app.py        `create_app(pipeline, settings)`: routes, keys, limits, one error shape
    routes.py     what each address does
    wire.py       OpenAI's request and response shapes, and the `promptfix` object beside them
    failures.py   everything that goes wrong, in OpenAI's error shape
    worker.py     the one thread that runs the model, and the queue before it
    logs.py       JSON logs: ids, digests and seconds, never texts
    serving.py    bind, then serve

Only this package imports litestar, and it never imports torch: a loaded pipeline is handed in.
"""
