"""An AMQP 0-9-1 broker in memory, for trying the project and for its tests.

It answers nameko, kombu, py-amqp and aio-pika as RabbitMQ does; `tests/contract/test_broker.py` runs the same sentences
against both. It keeps nothing on disk and listens on the loopback interface only: RabbitMQ is the broker for production.

frames  bytes <-> frames            routing  which queues a message goes to
login   who may connect             queues   what waits, expires, overflows
messages  what is published         broker   all exchanges and queues, dead letters
connection  one client              channel  one client's commands
server  listening and stopping      policy   the x-arguments of a queue
"""
