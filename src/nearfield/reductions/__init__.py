"""Reductions of detector stacks at the speed of decoding them.

One pass over the files applies everything that was asked for, frame by frame, while a frame is in
the processor's cache::

    index    a file -> a Stack: which bytes hold which frames; kept, and checked before use
    decode   chunks -> frames, without the GIL and without HDF5's lock
    kernels  one module per kind of reduction: what a block of frames adds to a partial result
    plan     which reductions over which frames, in which tasks, and what that costs
    threads, cluster  who carries the tasks out

What the index or a decoder does not understand is read by h5py: slower, never wrong.
"""
