"""What is not understood is refused: a table of one change to config.json, or to the names of the tensors, and what `list` makes of it: the
parts of a message with exit status 3, or, for what is understood, the parts of the facts that it prints."""
import json
import os
import shutil
import struct
import sys

sys.path.insert(0, "tests/tools")
from refusals import done, fail, refused, run, t, write

golden = "tests/golden/"
vit, hf, bert, llama, gpt2 = "vit/timm-plain", "vit/hf-classifier", "words/bert", "words/llama", "words/gpt2"
dinov2, registers, original, distilled = "vision/dinov2-swiglu", "vision/dinov2-registers", "vision/dinov2-original", "vision/deit-distilled"
mae, clip, siglip, clip_vision = "vision/mae-whole", "vision/clip", "vision/siglip", "vision/clip-vision"
mistral, qwen2, gemma, gemma2, gemma3, neox = ("words/" + name for name in ("mistral", "qwen2", "gemma", "gemma2", "gemma3", "neox"))
roberta, distilbert = "words/roberta", "words/distilbert"
words = (bert, llama, gpt2, mistral, qwen2, gemma, gemma2, gemma3, neox, roberta, distilbert)


def changed(folder, change, remove=()):
    shutil.rmtree(t + "/model", ignore_errors=True)
    shutil.copytree(golden + folder, t + "/model")
    path = t + "/model/config.json"
    config = json.load(open(path)) if os.path.exists(path) else {}
    config = {k: v for k, v in {**config, **change}.items() if k not in remove}
    json.dump(config, open(path, "w"))
    return t + "/model"


def told(path, *parts):
    status, out, said = run("list", path)
    if status or not all(p in out for p in parts):
        fail(["list", path], f"status {status}, expected {parts}\n{out}{said}")


# A key that nobody knows may change anything, whatever its value and wherever it stands; null says nothing.
for folder in (vit, hf, dinov2, original, distilled, mae, clip, clip_vision, siglip) + words:
    for value in (True, False, 0, 2.5, "word", [1], {"a": 1}):
        refused(["list", changed(folder, {"some_switch": value})], "config.json: ", '"some_switch"', "found")
    refused(["list", changed(folder, {"model_args": {"some_switch": 1}})], '"model_args.some_switch": found 1')
    refused(["list", changed(folder, {"pretrained_cfg": {"some_switch": 1}})], '"pretrained_cfg.some_switch": found 1')
    told(changed(folder, {"some_switch": None, "hidden_dropout_prob": 0.3, "torch_dtype": "float16", "transformers_version": "4.1", "id2label": {"0": "a"}}), "naming")

# Another family's words over tensors that look like these.
for folder, kinds in ((vit, ["swin"]), (hf, ["vivit", "beit"]), (dinov2, ["dinov3_vit", "data2vec-vision"]), (clip, ["clipseg", "x_clip"]), (siglip, ["siglip2"]), (clip_vision, ["clip_text_model"]), (bert, ["deberta", "electra", "nomic_bert"]),
                      (llama, ["mixtral", "qwen2_moe", "gemma3", "phi3"]), (gpt2, ["gpt_neo", "opt"])):
    for kind in kinds:
        refused(["list", changed(folder, {"model_type": kind})], '"model_type": expected one of', f"found {kind}")
refused(["list", changed(vit, {"architecture": "vit_base_patch16_224", "model_type": "bert"})], '"model_type"', "found bert")
refused(["list", changed(vit, {"architecture": "resnet50"})], '"architecture": expected one of', "found resnet50")

# One change a row: folder, change, parts.
for folder, change, parts in [
    (vit, {"architecture": "vit_base_patch16_rpn_224"}, ['"architecture": expected a plain pre-LN ViT', "norms behind attention"]),
    (vit, {"post_norm": True}, ['"post_norm": expected false, found true']),
    (vit, {"norm_first": False}, ['"norm_first": expected true, found false']),
    (vit, {"qk_norm": True}, ['"qk_norm": expected false, found true']),
    (vit, {"elementwise_affine": False}, ['"elementwise_affine": expected true, found false']),
    ("vision/timm-folded", {"elementwise_affine": True}, ['"elementwise_affine": expected false, found true']),
    ("vision/timm-qk-norm", {"qk_norm": False}, ['"model_args.qk_norm": expected false as under "qk_norm", found true']),
    (vit, {"pre_norm": True}, ['"pre_norm": expected false, found true']),
    (vit, {"class_token": False}, ['"class_token": expected true, found false']),
    (vit, {"reg_tokens": 4}, ['"reg_tokens": expected an integer from 0 to 0, found 4']),
    (vit, {"init_values": 1e-5}, ['"init_values"', "no LayerScale"]),
    (vit, {"global_pool": "map"}, ['"global_pool": expected token, cls, avg or mean, found map']),
    (vit, {"act": "mish"}, ['"act": expected gelu', "found mish"]),
    (dinov2, {"use_swiglu_ffn": False}, ['"use_swiglu_ffn": expected true, found false']),
    (dinov2, {"mlp_ratio": 3}, ['"mlp_ratio": expected 1.5 (24 / 16), found 3']),
    (dinov2, {"layerscale_value": 0.0}, ['"layerscale_value"', "since there is LayerScale"]),
    (dinov2, {"image_size": 12}, ['"image_size": expected an image of 4 patches', "found 12 x 12, which is 9"]),
    (dinov2, {"out_indices": [1], "reshape_hidden_states": "maybe", "qkv_bias": False}, ['"qkv_bias": expected true, found false']),
    (registers, {"num_register_tokens": 4}, ['"num_register_tokens": expected an integer from 3 to 3, found 4']),
    (original, {"ffn_layer": "swiglufused"}, ['"ffn_layer": expected mlp, by the tensors, found swiglufused']),
    (original, {"block_chunks": 2}, ['"block_chunks": expected 0, found 2']),
    (original, {"interpolate_offset": 3}, ['"interpolate_offset": expected a number from 0 to 0.5, found 3']),
    (original, {"num_register_tokens": 4}, ['"num_register_tokens": expected an integer from 0 to 0, found 4']),
    (distilled, {"num_labels": 4}, ['"num_labels": expected 5', "found 4"]),
    (distilled, {"image_size": 16}, ['"image_size": expected an image of 4 patches']),
    (mae, {"mask_ratio": 2}, ['"mask_ratio": expected a number from 0 to 1, found 2']),
    (clip, {"vision_config": 7}, ['"vision_config": expected an object, found 7']),
    (clip, {"vision_config": {"some_switch": 1, "num_attention_heads": 2}}, ['"vision_config.some_switch": found 1']),
    (clip, {"vision_config": {"hidden_size": 8}}, ['"vision_config.hidden_size": expected 16', "found 8"]),
    (clip, {"vision_config": {"num_attention_heads": 3}}, ['"vision_config.num_attention_heads": expected heads * head_dim = 16']),
    (clip_vision, {"hidden_act": "swish2"}, ['"hidden_act": expected gelu', "found swish2"]),
    (siglip, {"vision_config": {"num_attention_heads": 2, "vision_use_head": False}}, ['"vision_config.vision_use_head": expected true, found false']),
    (gpt2, {"scale_attn_weights": "yes"}, ['"scale_attn_weights": expected true or false, found "yes"']),
    (gpt2, {"add_cross_attention": True}, ['"add_cross_attention": expected false, found true']),
    (gpt2, {"n_head": 3}, ['"n_head": expected heads * head_dim = 32']),
    (gpt2, {"vocab_size": 98}, ['"vocab_size": expected 99', "found 98"]),
    (bert, {"is_decoder": True}, ['"is_decoder": expected false, found true']),
    (bert, {"position_embedding_type": "relative_key"}, ['"position_embedding_type": expected "absolute"', "relative_key"]),
    (bert, {"type_vocab_size": 9}, ['"type_vocab_size": expected 2', "found 9"]),
    (llama, {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, ['"rope_scaling": expected rope_type "default", "linear" or "llama3", found "dynamic"']),
    (llama, {"rope_scaling": {"type": "linear"}}, ['expected a "factor" of the rotary scaling']),
    (llama, {"rope_scaling": {"type": "linear", "factor": 2.0, "beta_fast": 32}}, ['"rope_scaling": expected numbers above 0', 'none of "beta_fast"']),
    (llama, {"rope_scaling": {"type": "linear", "factor": "2"}}, ['"rope_scaling": expected numbers above 0', 'none of "factor"']),
    (llama, {"rope_parameters": [1]}, ['"rope_parameters": expected an object, found [1]']),
    (llama, {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, ['expected "low_freq_factor" below "high_freq_factor"']),
    (llama, {"rope_parameters": {"partial_rotary_factor": 0.5}}, ['"partial_rotary_factor": expected 1', "found 0.5"]),
    (llama, {"sliding_window": 3}, ['"sliding_window": found 3']),
    (llama, {"architectures": ["MistralForCausalLM"]}, ['"model_type": expected mistral, found llama']),
    (llama, {"auto_map": {"AutoModelForCausalLM": "modeling_x.MyModel"}}, ['"auto_map": expected no model class of the checkpoint\'s own', "modeling_x.MyModel"]),
    (bert, {"auto_map": {"AutoModel": "who/else--modeling_bert.JinaBertModel"}}, ['"auto_map"', "JinaBertModel"]),
    (bert, {"auto_map": {"AutoModel": ["a.BertModel"]}}, ['"auto_map"']),
    (mistral, {"sliding_window": 2.5}, ['expected "sliding_window", a whole number']),
    (mistral, {"layer_types": ["full_attention", "sliding_attention"]}, ['"layer_types": expected what "sliding_window" says of every block']),
    (qwen2, {"layer_types": ["full_attention"]}, ['"layer_types": expected a word for each block']),
    (qwen2, {"layer_types": ["full_attention", "chunked_attention"]}, ['"layer_types": expected "full_attention" or "sliding_attention", found "chunked_attention"']),
    (qwen2, {"use_sliding_window": False, "sliding_window": None}, ['expected "sliding_window"', "1 blocks", "found none"]),
    (gemma, {"use_bidirectional_attention": True}, ['"use_bidirectional_attention": expected false, found true']),
    (gemma, {"hidden_activation": "relu"}, ['"hidden_activation": expected "gelu_pytorch_tanh"', "found \"relu\""]),
    (gemma2, {"final_logit_softcapping": "thirty"}, ['"final_logit_softcapping": expected a number', "thirty"]),
    (gemma2, {"query_pre_attn_scalar": 0}, ['"query_pre_attn_scalar": expected a number', "found 0"]),
    (gemma3, {"rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": 8.0}}}, ['"rope_parameters": expected rope_type', 'found "yarn"']),
    (neox, {"use_parallel_residual": 1}, ['"use_parallel_residual": expected true or false, found 1']),
    (neox, {"attention_bias": False}, ['"attention_bias": expected true, found false']),
    (neox, {"rotary_pct": 1.5}, ['"rotary_pct": expected a number from 0 to 1, found 1.5']),
    (roberta, {"pad_token_id": 40}, ['"pad_token_id": expected less than 33', "found 40"]),
    (roberta, {"position_embedding_type": "relative_key_query"}, ['"position_embedding_type": expected "absolute"']),
    (distilbert, {"n_heads": 3}, ['"n_heads": expected heads * head_dim = 16']),
    (distilbert, {"dim": 24}, ['"dim": expected 16', "found 24"]),
    (llama, {"attention_bias": True}, ['"attention_bias": expected false, found true']),
    (llama, {"num_key_value_heads": 4}, ['"num_key_value_heads": expected 2', "found 4"]),
    (llama, {"head_dim": 16}, ["expected heads * head_dim = 32", "4 heads of 16"]),
    (llama, {"quantization_config": {"bits": 4}}, ['"quantization_config"']),
    (llama, {"tie_word_embeddings": "no"}, ['"tie_word_embeddings": expected true or false']),
    (llama, {"hidden_act": "laplace"}, ['"hidden_act": expected gelu', "found laplace"]),
    (llama, {"partial_rotary_factor": 0.5}, ['"partial_rotary_factor": expected 1, found 0.5']),
]:
    refused(["list", changed(folder, change)], "config.json: ", *parts)

# A family by its name, whose tensors are not there.
refused(["list", changed(vit, {"model_type": "dinov2"})], "expected a model of a family that is known")

# Another size of images.
for size, what in [("18", "multiple of the patch, 4, found 18 x 18 (asked for)"), ("8x", "expected pixels"), ("0", "expected pixels"), ("8x-4", "expected pixels"), ("99999999", "up to 65536")]:
    refused(["list", golden + dinov2, "--image", size], what, status=2)
refused(["list", golden + bert, "--image", "32"], "expected a model that takes images", status=2)
status, out, said = run("list", golden + dinov2, "--image", "16x12")
if status or "2 x 2 to 4 x 3, bicubic" not in out or "1 + 0 + 12" not in out:
    fail(["list", "--image", "16x12"], out + said)

# Code of its own that computes nothing, or is a copy; a head that is not there; names that two families share.
told(changed(bert, {"auto_map": {"AutoTokenizer": "tokens.Mine", "AutoConfig": "config.Mine", "AutoModel": "modeling.BertModel"}}), "naming")
told(changed(gpt2, {"tie_word_embeddings": False}), "none in the file")
unnamed = changed(roberta, {}, ("model_type", "architectures"))
refused(["list", unnamed], 'expected "model_type" in config.json, "bert" or "roberta"', "34 rows")
told(changed(mistral, {"architectures": None}), "Mistral", "3 tokens, in 2 of 2 blocks")

# What was silent and is right now.
told(golden + "words/vit-quickgelu", "GELU (quick)", "1e-05")
told(changed(gpt2, {"scale_attn_by_inverse_layer_idx": True}), "gpt")
told(golden + "words/nanogpt", "[out, in]", "_orig_mod.")

# What a model was wrapped in.
weights = open(f"{golden}{vit}/model.safetensors", "rb").read()
size = struct.unpack("<Q", weights[:8])[0]
header = json.loads(weights[8 : 8 + size])


def renamed(rename):
    shutil.rmtree(t + "/model", ignore_errors=True)
    shutil.copytree(golden + vit, t + "/model")
    text = json.dumps({rename(k) if k != "__metadata__" else k: v for k, v in header.items()}).encode()
    open(t + "/model/model.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + weights[8 + size :])
    return t + "/model"


for prefix in ("module.", "_orig_mod.", "model.", "backbone.", "encoder."):
    told(renamed(lambda name: prefix + name), "names", prefix, "taken off", "blocks.0.norm1")
told(renamed(lambda name: "module._orig_mod." + name), "module.", "_orig_mod.", "blocks.0.norm1")
refused(["list", renamed(lambda name: "other." + name)], "expected a model of a family that is known", "found")

# Other formats are called by their names, with the way out where there is one.
for name, data, what in [("x.gguf", b"GGUF" + bytes(60), "expected GGUF of version 2 or 3, found version 0"), ("x.onnx", b"\x08\x07\x12\x07pytorch" + bytes(60), "an ONNX model; give the checkpoint"),
                         ("x.tflite", bytes(4) + b"TFL3" + bytes(60), "a TensorFlow Lite model; give the checkpoint"), ("x.h5", b"\x89HDF\r\n\x1a\n" + bytes(60), "an HDF5 file; normscope info"),
                         ("keras.h5", b"\x89HDF\r\n\x1a\n" + bytes(600) + b"layer_names" + bytes(60), "a Keras .h5 file; from_pretrained(..., from_tf=True)"),
                         ("flax.msgpack", b"\x82\xa5lm_hd\x81" + bytes(60), "MessagePack data (Flax); from_pretrained(..., from_flax=True)"),
                         ("old.bin", b"\x80\x02\x8a\nl\xfc\x9cF\xf9" + bytes(60), "a PyTorch file from before 1.6; torch.save(torch.load("),
                         ("x.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "was not fetched; git lfs pull"),
                         ("y.safetensors", b"<!DOCTYPE html><html><body>Not found</body></html>", "an HTML page; a server sent it"), ("x.pt", b"PK\3\4" + bytes(60), "a zip archive")]:
    refused(["list", write(name, data)], name, what)
done()
