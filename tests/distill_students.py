"""Tiny students made in seconds, for the tests of export and check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from langgraph_decompose.distill.export.gguf_tokenizer import ONE_DIGIT
from langgraph_decompose.distill.records import Example
from langgraph_decompose.plan import parse_plan
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_BATCH = 16
SPECIAL = ["<|pad|>", "<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"]
NAMES = ("Ada Brook", "Ben Cole", "Cleo Dane", "Dov Eads", "Eve Ford", "Finn Gray", "Gia Hale")
WORKS = ("Jaws", "Emma", "Dune", "Heat", "Coco", "Brave", "Alien", "Speed")
ROLES = ("spouse", "mother", "father", "editor", "agent")

SAMPLES: list[tuple[str, str]] = [
    (
        f"Who is the {role} of the director of {work}?",
        f"#1 Who is the director of {work}?\n#2 Who is the {role} of #1? <- #1",
    )
    for work in WORKS
    for role in ROLES
] + [(f"Where was {name} born?", "atomic") for name in NAMES]
SAMPLES += [
    (
        f"{name} has {n} pens and buys {n + 3}. How many pens are there?",
        f"#1 How many pens does {name} buy?\n#2 How many pens are there with {n}? <- #1",
    )
    for n, name in zip((4, 7, 9), NAMES, strict=False)
]


def words(*cuts: Any) -> Any:
    """A pre-tokenizer: these cuts one after the other."""
    return pre_tokenizers.Sequence(list(cuts))


def by_regex(regex: str) -> Any:
    return words(
        pre_tokenizers.Split(Regex(regex), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    )


def tokenizer(pre: Any = None, size: int = 600, ignore_merges: bool = False) -> Any:
    """A byte-level BPE trained on the samples."""
    bpe = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    bpe.pre_tokenizer = pre or by_regex(ONE_DIGIT)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([text for pair in SAMPLES for text in pair], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<|bos|>",
        eos_token="<|end|>",
        pad_token="<|pad|>",
        additional_special_tokens=SPECIAL[3:],
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def question(k: int) -> Example:
    """A question of two lines, as distillation reads it."""
    return Example(
        id=str(k),
        question=f"Who rules town {k}?",
        plan=(
            {"id": 1, "text": f"Where is town {k}?", "needs": []},
            {"id": 2, "text": "Who rules #1?", "needs": [1]},
        ),
    )


def examples() -> list[Example]:
    """The samples, as distillation reads them."""
    plans = [parse_plan(plan).subquestions for _, plan in SAMPLES]
    return [
        Example(
            id=str(k),
            question=text,
            plan=tuple(
                {"id": int(s.id), "text": s.text, "needs": list(map(int, s.needs))} for s in plan
            ),
        )
        for k, ((text, _), plan) in enumerate(zip(SAMPLES, plans, strict=True))
    ]


CONFIGS = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}


def student(kind: str, vocab: int, **more: Any) -> Any:
    """A random model; its weights are large enough that every part of it matters."""
    torch.manual_seed(1)
    settings: dict[str, Any] = {
        "vocab_size": vocab, "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 512, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        "initializer_range": 0.1, "rms_norm_eps": 1e-5, "attn_implementation": "eager",
    }  # fmt: skip
    config = getattr(transformers, f"{CONFIGS[kind]}Config")(**(settings | more))
    model = getattr(transformers, f"{CONFIGS[kind]}ForCausalLM")(config)
    with torch.no_grad():
        for name, values in model.named_parameters():
            if name.endswith("bias") or "norm" in name:
                values.add_(torch.randn_like(values) * 0.2)
    return model.eval()


def save(model: Any, tok: Any, directory: Path, **contract: Any) -> Path:
    """A directory as train leaves it."""
    model.save_pretrained(directory)
    tok.save_pretrained(directory)
    row = {
        "contract": "1", "roles": ["decomposer"], "final": "last", "domain": "films",
        "n_ctx_trained": 256, "prompt_version": "1", "recipe": "test",
        "data": [{"file": "f", "source": "films", "licence": "MIT", "examples": len(SAMPLES)}],
    }  # fmt: skip
    (directory / "decompose.json").write_text(json.dumps(row | contract))
    return directory


def messages(question: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "decompose"}, {"role": "user", "content": question}]


def prompt_ids(tok: Any, question: str) -> list[int]:
    return tok.apply_chat_template(
        messages(question), add_generation_prompt=True, return_dict=False
    )


def tune(model: Any, tok: Any, samples: list[tuple[str, str]], rate: float, steps: int) -> None:
    """A plain loop until the model writes every sample by itself."""
    rows = [
        (prompt_ids(tok, q), tok(plan)["input_ids"] + [tok.eos_token_id]) for q, plan in samples
    ]
    longest = max(len(p) + len(c) for p, c in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    for i, (prompt, completion) in enumerate(rows):
        ids[i, : len(prompt) + len(completion)] = torch.tensor(prompt + completion)
        labels[i, len(prompt) : len(prompt) + len(completion)] = torch.tensor(completion)
    mask = (ids != 0).long()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    generator = torch.Generator().manual_seed(1)
    model.train()
    for _ in range(steps):
        some = torch.randperm(len(rows), generator=generator)[:_BATCH]
        batch = {"input_ids": ids[some], "attention_mask": mask[some], "labels": labels[some]}
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    model.eval()


def write(model: Any, tok: Any, question: str) -> str:
    """What transformers writes greedily."""
    prompt = torch.tensor([prompt_ids(tok, question)])
    out = model.generate(
        input_ids=prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=80, do_sample=False
    )
    return tok.decode(out[0, prompt.shape[1] :], skip_special_tokens=True)
