"""What a model may use is counted by us, and a call that would go over it is not made."""

import uuid

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from agents.budget import Cost, Limits, Meter, tokens_of
from agents.errors import BudgetExhausted

NEW = Cost(model="m")


def meter(calls: int = 10, tokens: int = 1000, spent: Cost = NEW) -> Meter:
    return Meter(Limits(calls=calls, tokens=tokens, seconds=1), spent)


async def ask(one: Meter, text: str = "x" * 400, usage: tuple[int, int] | None = (100, 20)) -> None:
    run = uuid.uuid4()
    await one.on_chat_model_start({}, [[HumanMessage(text)]], run_id=run, invocation_params={"tools": []})
    counted = {"input_tokens": usage[0], "output_tokens": usage[1], "total_tokens": sum(usage)} if usage else None
    message = AIMessage("y" * 40, usage_metadata=counted)
    await one.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=run)


async def test_calls_and_the_servers_tokens_are_counted_on_top_of_what_was_spent() -> None:
    one = meter(spent=Cost(model="m", calls=2, input_tokens=5, output_tokens=6))
    await ask(one)
    await ask(one)
    assert one.cost == Cost(model="m", calls=4, input_tokens=205, output_tokens=46)
    assert one.calls_left == 6


async def test_the_call_after_the_last_is_not_made() -> None:
    one = meter(calls=2)
    await ask(one)
    await ask(one)
    with pytest.raises(BudgetExhausted, match="the 2 calls"):
        await ask(one)
    assert one.cost.calls == 2


async def test_a_request_that_would_go_over_the_tokens_is_not_made() -> None:
    one = meter(tokens=300)
    await ask(one)
    await ask(one, text="x" * 40)
    with pytest.raises(BudgetExhausted, match="the 300 tokens"):
        await ask(one, text="x" * 400)
    await ask(one, text="x" * 40, usage=(10, 10))
    assert one.cost.tokens == 260


@pytest.mark.parametrize("usage", [None, (0, 0), (-5, -5)])
async def test_four_bytes_are_a_token_where_the_server_counts_none(usage: tuple[int, int] | None) -> None:
    one = meter()
    await ask(one, text="é" * 200, usage=usage)
    assert one.cost.input_tokens == pytest.approx(100, abs=2)
    assert one.cost.output_tokens == pytest.approx(10, abs=2)


async def test_a_server_cannot_count_backwards() -> None:
    one = meter()
    await ask(one)
    await ask(one, usage=(-10_000, 5))
    assert one.cost.input_tokens >= 200


def test_half_of_a_budget_is_never_nothing() -> None:
    assert Limits(calls=1, tokens=1, seconds=3).half() == Limits(calls=1, tokens=1, seconds=3)
    assert Limits(calls=40, tokens=400, seconds=3).half() == Limits(calls=20, tokens=200, seconds=3)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("\ud800", 1)])
def test_an_estimate_is_rounded_up(text: str, tokens: int) -> None:
    assert tokens_of(text) == tokens
