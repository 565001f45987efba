"""Encoders of words and pixels as facts: packing, initial values, gradients, and torchvision's file of weights."""

import io
import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from xmlib import data
from xmlib.errors import InputError
from xmlib.neighborhoods import neighbors, pixel_encoders, text
from xmlib.neighborhoods.angular import Groups, neighborhood_terms, total
from xmlib.neighborhoods.pixel_encoders import PixelEncoder, ResNet50, ResNetEncoder, flipped, load_resnet50, resized
from xmlib.neighborhoods.text_encoders import Vocabulary, WordEncoder

VOCABULARY = Vocabulary(("boat", "moon", "star"))


def test_texts_become_numbers_between_start_and_end():
    tokens = VOCABULARY.tokens([["moon", "xylophone", "boat"], [], ["star"] * 4])
    assert tokens.tolist() == [[1, 4, 3, 2, 0, 0], [1, 2, 0, 0, 0, 0], [1, 5, 5, 5, 5, 2]]
    assert len(VOCABULARY) == 6


def test_a_length_cuts_words_and_never_the_end():
    assert VOCABULARY.tokens([["moon", "boat", "star"], ["star"]], length=4).tolist() == [[1, 4, 3, 2], [1, 5, 2, 0]]
    with pytest.raises(InputError, match="length = 2 leaves no room"):
        VOCABULARY.tokens([["moon"]], length=2)


def word_vectors(size=5):
    return torch.randn(3, size, generator=torch.Generator().manual_seed(0))


def test_the_word_encoder_starts_from_the_given_vectors():
    encoder = WordEncoder(word_vectors(), d=4, hidden=7)
    torch.testing.assert_close(encoder.embedding.weight[3:].detach(), word_vectors())
    assert not encoder.embedding.weight[0].any()
    assert encoder.embedding.weight[1].any()
    assert encoder.embedding.weight[2].any()
    assert (encoder.projection.bias == 0.1).all()
    bound = math.sqrt(6 / (7 + 4))  # Xavier
    assert 0.6 * bound < encoder.projection.weight.abs().max() <= bound


def test_a_texts_vector_is_that_of_reading_it_alone_word_by_word():
    encoder = WordEncoder(word_vectors(), d=4, hidden=7).double()
    documents = [["moon", "boat"], ["star"] * 5, []]
    together = encoder(torch.from_numpy(VOCABULARY.tokens(documents)))
    for i, document in enumerate(documents):
        state = torch.zeros(1, 1, 7, dtype=torch.float64)
        for token in VOCABULARY.tokens([document])[0]:
            state = encoder.gru(encoder.embedding(torch.tensor([[token]])), state)[1]
        torch.testing.assert_close(together[i], encoder.projection(state[0, 0]))


def test_padding_changes_nothing_and_gets_no_gradient():
    encoder = WordEncoder(word_vectors(), d=4, hidden=7)
    short, long = (torch.from_numpy(VOCABULARY.tokens([["moon"]], length)) for length in (3, 9))
    torch.testing.assert_close(encoder(short), encoder(long))
    encoder(long).sum().backward()
    moved = encoder.embedding.weight.grad.any(1).tolist()
    assert moved == [False, True, True, False, True, False]  # start, end and "moon"


def test_the_small_encoder_learns_down_to_its_first_layer():
    torch.manual_seed(0)
    pixels, targets = torch.rand(8, 3, 64, 64), functional.normalize(torch.randn(8, 256), dim=1)
    encoder = PixelEncoder()
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        loss = (functional.normalize(encoder(pixels), dim=1) - targets).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        assert encoder.layers[0][0].weight.grad.abs().max() > 0
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)


def test_the_small_encoder_trains_end_to_end_on_emoji_pixels_with_all_four_terms():
    torch.manual_seed(0)
    train = data.load("emoji", "toy").train
    documents = text.cleaned(train.texts, train.ids)
    doc2vec = text.doc2vec(documents, vector_size=20, min_count=1)
    found = neighbors.nearest(text.infer(doc2vec, documents))
    pixels = torch.from_numpy(resized(train.pictures[:], 64))
    vocabulary = Vocabulary(tuple(doc2vec.wv.index_to_key))
    tokens = torch.from_numpy(vocabulary.tokens(documents))
    images, texts = PixelEncoder(d=32), WordEncoder(doc2vec.wv.vectors, d=32, hidden=32)
    optimizer = torch.optim.Adam([*images.parameters(), *texts.parameters()], lr=1e-3)
    groups, means = torch.from_numpy(train.groups), []
    for epoch in range(2):
        near = torch.from_numpy(neighbors.draw(found, seed=1, epoch=epoch))
        values = []
        for rows in torch.randperm(len(train)).split(10):
            sampled = torch.randint(len(train), (len(rows),))
            x, y = (functional.normalize(images(pixels[at]), dim=1) for at in (rows, near[rows]))
            own, others, drawn = (functional.normalize(texts(tokens[at]), dim=1) for at in (rows, near[rows], sampled))
            barred = Groups(groups[rows], groups[near[rows]], groups[sampled])
            loss = total(neighborhood_terms(x, own, y, others, drawn, barred))
            optimizer.zero_grad()
            loss.backward()
            assert images.layers[0][0].weight.grad.abs().max() > 0
            assert texts.embedding.weight.grad.abs().max() > 0
            optimizer.step()
            values.append(loss.item())
        means.append(sum(values) / len(values))
    assert means[1] < means[0]


def test_resizing_keeps_colours_and_places():
    pictures = np.zeros((2, 96, 96, 3), dtype=np.uint8)
    pictures[0, :48, :, 0] = 255  # the upper half red
    pictures[1] = [10, 20, 30]
    for size in (64, 224):
        red, plain = resized(pictures, size)
        np.testing.assert_allclose(red[:, size // 4, 5], [1, 0, 0], atol=1e-6)
        np.testing.assert_allclose(red[:, 3 * size // 4, 5], 0, atol=1e-6)
        assert red[0].mean() == pytest.approx(0.5, abs=1e-3)
        np.testing.assert_allclose(plain, np.full((size, size, 3), [10, 20, 30]).transpose(2, 0, 1) / 255, atol=1e-5)


def torchvision_state(scale=0.02):
    """A state dict with the names and shapes of torchvision's `resnet50`, written down by rule, with random values."""
    generator = torch.Generator().manual_seed(0)
    state = {}

    def conv(name, out, into, size):
        state[name + ".weight"] = torch.randn(out, into, size, size, generator=generator) / math.sqrt(into * size**2)

    def norm(name, size):
        state[name + ".weight"] = 1 + scale * torch.randn(size, generator=generator)
        state[name + ".bias"] = scale * torch.randn(size, generator=generator)
        state[name + ".running_mean"] = scale * torch.randn(size, generator=generator)
        state[name + ".running_var"] = 1 + scale * torch.rand(size, generator=generator)
        state[name + ".num_batches_tracked"] = torch.tensor(7)

    conv("conv1", 64, 3, 7)
    norm("bn1", 64)
    into = 64
    for layer, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], 1):
        for block in range(blocks):
            name = f"layer{layer}.{block}"
            for number, (a, b, size) in enumerate([(into, width, 1), (width, width, 3), (width, 4 * width, 1)], 1):
                conv(f"{name}.conv{number}", b, a, size)
                norm(f"{name}.bn{number}", b)
            if block == 0:
                conv(f"{name}.downsample.0", 4 * width, into, 1)
                norm(f"{name}.downsample.1", 4 * width)
            into = 4 * width
    state["fc.weight"] = torch.randn(1000, 2048, generator=generator) / 100
    state["fc.bias"] = torch.zeros(1000)
    return state


def literal_resnet(state, pixels):
    """ResNet-50 in evaluation mode from a state dict alone, stride at the 3×3 convolutions: (n, 2048)."""

    def conv_norm(maps, conv, norm, stride=1, padding=0):
        maps = functional.conv2d(maps, state[conv + ".weight"], None, stride, padding)
        mean, var, weight, bias = (
            state[f"{norm}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (maps - mean) / (var + 1e-5).sqrt() * weight + bias

    maps = functional.max_pool2d(conv_norm(pixels, "conv1", "bn1", 2, 3).relu(), 3, 2, 1)
    for layer, blocks in enumerate([3, 4, 6, 3], 1):
        for block in range(blocks):
            name, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            inner = conv_norm(maps, f"{name}.conv1", f"{name}.bn1").relu()
            inner = conv_norm(inner, f"{name}.conv2", f"{name}.bn2", stride, 1).relu()
            inner = conv_norm(inner, f"{name}.conv3", f"{name}.bn3")
            if block == 0:
                maps = conv_norm(maps, f"{name}.downsample.0", f"{name}.downsample.1", stride)
            maps = (inner + maps).relu()
    return maps.mean((2, 3))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file with the name and content of torchvision's, its values random."""
    path = tmp_path_factory.mktemp("weights") / "resnet50-0676ba61.pth"
    torch.save(torchvision_state(), path)
    return path


def test_resnet_has_torchvisions_320_names_and_shapes():
    expected = {name: tuple(values.shape) for name, values in torchvision_state().items()}
    assert len(expected) == 320
    assert {name: tuple(values.shape) for name, values in ResNet50().state_dict().items()} == expected
    assert sum(parameter.numel() for parameter in ResNet50().parameters()) == 25_557_032  # torchvision's own count


def test_resnet_with_a_files_weights_computes_the_literal_network(weights):
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(
            load_resnet50(weights).eval()(pixels), literal_resnet(torch.load(weights), pixels), rtol=1e-4, atol=1e-4
        )


def test_the_resnet_encoder_normalises_projects_and_trains_whole(weights):
    encoder = ResNetEncoder(weights.parent, d=8)  # the folder will do
    assert (encoder.projection.bias == 0.1).all()
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    encoder.eval()
    with torch.no_grad():
        by_hand = encoder.projection(literal_resnet(torch.load(weights), (pixels - mean) / std))
        torch.testing.assert_close(encoder(pixels), by_hand, rtol=1e-4, atol=1e-4)
    encoder.train()(pixels).square().sum().backward()
    assert encoder.resnet.conv1.weight.grad.abs().max() > 0
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_missing_weights_are_asked_for_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_encoders, "WEIGHTS", tmp_path)
    with pytest.raises(InputError) as caught:
        ResNetEncoder(tmp_path)
    assert str(tmp_path / "resnet50-*.pth") in str(caught.value)
    assert str(caught.value).count(". ") == 0
    with pytest.raises(InputError, match=r"mine\.pth': put torchvision's file there"):
        load_resnet50(tmp_path / "mine.pth")


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path):
    (tmp_path / "resnet50-trap.pth").write_bytes(pickle.dumps({"conv1.weight": Trap(str(tmp_path / "sprung"))}, 2))
    with pytest.raises(InputError, match=r"cannot be read as weights \(UnpicklingError\)"):
        load_resnet50(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "resnet50-other.pth")
    with pytest.raises(InputError, match="does not hold torchvision's ResNet-50"):
        load_resnet50(tmp_path)
    buffer = io.BytesIO()
    torch.save([1, 2], buffer)
    (tmp_path / "resnet50-other.pth").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="does not hold torchvision's ResNet-50"):
        load_resnet50(tmp_path)


def test_flipping_mirrors_about_half_of_the_pictures_left_to_right():
    pixels = torch.rand(200, 3, 2, 4)
    result = flipped(pixels, torch.Generator().manual_seed(0))
    mirrored = np.array([torch.equal(new, old.flip(2)) for new, old in zip(result, pixels, strict=True)])
    kept = np.array([torch.equal(new, old) for new, old in zip(result, pixels, strict=True)])
    assert (mirrored ^ kept).all()
    assert 70 < mirrored.sum() < 130
    assert torch.equal(result, flipped(pixels, torch.Generator().manual_seed(0)))
