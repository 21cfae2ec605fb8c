"""Starts processes of the product by forking, from one in which all that they would import is imported already.

A run of the tests starts and restarts hundreds of them, and importing is most of what a start costs. What is forked has the
environment, the folder, the output and the group of a process that was started, and goes on as `python -m` does; it ends with
the process of the tests. Whatever is started from a command line, as `./qudao up` and `./qudao demo` do, does not come from here.
"""
