"""Bytes of any kind, wherever bytes come in: nothing crashes, and nothing is dropped without a count and a cause.

    mutate           right bytes made wrong, right forms with strange values
    watched          a loop on which nothing that goes wrong is overlooked
    decode_targets   entries and payloads, through decoders
    stream_targets   streams of garbage, through a whole consumer and its handlers
    row_targets      the same through the store into a real PostgreSQL
    snmp_targets     replies, through the codec, the wire engine and whole polls; targets of nonsense
    snmp_v3_targets  SNMPv3, from an agent that may know the keys
    file_targets     files of the configuration
    typed_targets    what is typed on a command line
    run              targets, seed by seed
    source           what the product may not use: whatever runs code, or makes objects, out of bytes

A target is a function of a `Random`; any exception out of it is a finding, and its seed brings it again.
"""
