"""No body makes an error that is not one of the suite's own."""

from tests.unit.client.fuzz import tried


def test_no_body_is_an_error_of_the_suite() -> None:
    tried(300)()
