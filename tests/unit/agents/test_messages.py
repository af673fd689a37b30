import time

import pytest

from agents.suspects import read_message


@pytest.mark.parametrize(
    ("exception", "message", "absent", "demanded"),
    [
        ("KeyError", "'amount'", {"amount"}, set()),
        ("KeyError", "42", set(), set()),
        ("AttributeError", "'Cart' object has no attribute 'total'. Did you mean: 'totals'?", {"total"}, set()),
        ("AttributeError", "'NoneType' object has no attribute 'amount'", set(), set()),
        ("NameError", "name 'TABLE' is not defined", {"TABLE"}, set()),
        ("ImportError", "cannot import name 'a_b' from 'shop.c' (/app/shop/c.py)", {"a_b"}, set()),
        ("ModuleNotFoundError", "No module named 'requests'", {"requests"}, set()),
        ("TypeError", "total() missing 1 required positional argument: 'rate'", set(), {"total", "rate"}),
        ("TypeError", "total() got an unexpected keyword argument 'rate'", {"rate"}, {"total"}),
        ("TypeError", "cart.getTotal is not a function", {"getTotal"}, set()),
        ("TypeError", "Cannot read properties of undefined (reading 'total')", set(), set()),
        ("ReferenceError", "rate is not defined", {"rate"}, set()),
        ("NoMethodError", "undefined method `total' for #<Cart:0x01>", {"total"}, set()),
        ("NoMethodError", "undefined method 'total' for nil", set(), set()),
        ("NameError", "uninitialized constant Shop::Cart", {"Cart"}, set()),
        ("ArgumentError", "missing keyword: :currency", set(), {"currency"}),
        ("Error", "Call to undefined method App\\Cart::total()", {"total"}, set()),
        ("ErrorException", 'Undefined array key "price"', {"price"}, set()),
        ("NoSuchMethodError", "'void org.example.Cart.total(int)'", {"total"}, set()),
        ("ClassNotFoundException", "org.example.shop.Cart", {"Cart"}, set()),
        (
            "NullPointerException",
            'Cannot invoke "P.amount()" because the return value of "org.example.Cart.price()" is null',
            set(),
            {"price"},
        ),
        ("KeyNotFoundException", "The given key 'x_y' was not present in the dictionary.", {"x_y"}, set()),
        ("MissingMethodException", "Method not found: 'Void Shop.Cart.Total(Int32)'.", {"Total"}, set()),
        ("PSQLException", 'ERROR: column "price_cents" does not exist', {"price_cents"}, set()),
        ("IntegrityError", 'null value in column "owner" of relation "x"', set(), {"owner"}),
        ("ValueError", "SHOP_URL must be set", set(), {"SHOP_URL"}),
        ("Error", "ENOENT: no such file or directory, open '/app/config/rates.json'", {"rates.json"}, set()),
        ("ValueError", "'x' is wrong", set(), set()),
        (None, "", set(), set()),
    ],
)
def test_an_error_says_what_is_not_there_and_what_is_asked_for(
    exception: str | None, message: str, absent: set[str], demanded: set[str]
) -> None:
    said = read_message(exception, message)
    assert said.absent == absent
    assert said.demanded == demanded
    assert absent | demanded <= said.names


@pytest.mark.parametrize(
    "part", ["a", "a.", '"a ', "missing ", "no such file or directory", "x::", "undefined method '", "'"]
)
def test_a_message_is_read_in_time_whatever_it_repeats(part: str) -> None:
    start = time.process_time()
    read_message("KeyError", part * 100_000)
    assert time.process_time() - start < 1
