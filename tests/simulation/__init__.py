"""The protocol model-checked: the real coordinator, consume loop and store, interleaved and broken in every way.

What runs is the code of the product on an event loop whose clock is made up and whose order is chosen, over the model
of the streams in memory and a model of the tables. Processes die and freeze between any two operations, answers get
lost after the operation was carried out, Redis comes back with older data, clocks step. Then it comes to rest and is
judged.

    choices     every decision of a run, so that it can be run again and made smaller
    loop        an event loop with its own clock; processes on it die and freeze as one
    redis       what a process sees of Redis: the model, behind a network
    database    the tables as far as the protocol sees them, and audit's own equation over them
    nemesis     what goes wrong, and when
    laws        what must hold after every operation, and at the end
    world       a deployment: it runs, it comes to rest, it is judged
    planted     the mistakes that must not go unseen
    explore     many runs; one that fails is made small and told as a story
"""
