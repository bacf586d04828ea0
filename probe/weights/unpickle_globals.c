/* The names that a pickle of torch.save may hold, and what comes of them. Nothing behind such a name is ever run: the few functions that
 * torch.load calls to put a tensor together are done here with values, and classes that training scripts leave in their checkpoints become
 * objects that nobody looks into. */
#include <stdio.h>
#include <string.h>

#include "probe/weights/unpickle_internal.h"

/* ---- arguments ---- */

static const ns_py *argument(const ns_py_list *args, size_t i, ns_py_kind kind) {
    return i < args->count && args->items[i].kind == kind ? &args->items[i] : NULL;
}

static int wrong_arguments(ns_pickle *p, const ns_py_global *global, const char *expected) {
    char text[160];
    snprintf(text, sizeof text, "%s.%s of %s", global->module, global->name, expected);
    return ns_pickle_expected(p, text, "other arguments");
}

/* ---- types ---- */

/* Of elements and of storages: they are named, not called. */
static int element_type(ns_pickle *p, const ns_py_global *global, const ns_py_list *args,
                        ns_py *out) {
    (void)args, (void)out;
    return wrong_arguments(p, global, "nothing: it is a type");
}

static int storage_type(ns_pickle *p, const ns_py_global *global, const ns_py_list *args,
                        ns_py *out) {
    return element_type(p, global, args, out);
}

int ns_py_storage_make(ns_pickle *p, const ns_py_list *id, ns_py *out) {
    const ns_py *type = argument(id, 1, NS_PY_GLOBAL), *key = argument(id, 2, NS_PY_TEXT),
                *count = argument(id, 4, NS_PY_WHOLE), *view = id->count > 5 ? &id->items[5] : NULL;
    if (id->count && ns_py_is(&id->items[0], "module"))
        return ns_pickle_expected(p, "a state dict", "a whole model with its Python code");
    if (!id->count || !ns_py_is(&id->items[0], "storage") || !type || !key || !count ||
        type->global->call != storage_type || memchr(key->text, 0, key->length))
        return ns_pickle_expected(p, "('storage', type, key, place, count)", "another reference");
    if (view && view->kind != NS_PY_NONE)
        return ns_pickle_expected(p, "a whole storage", "a view of one, as PyTorch before 0.4 has");
    if (count->whole < 0) return ns_pickle_expected(p, "a storage of 0 or more elements", "fewer");
    ns_py_storage *storage = ns_pickle_room(p, sizeof *storage);
    char *name = storage ? ns_pickle_room(p, (size_t)key->length + 1) : NULL;
    if (!name) return ns_pickle_no_room(p);
    memcpy(name, key->text, key->length);
    *storage = (ns_py_storage){name, type->global->says, type->global->item, count->whole};
    *out = (ns_py){.kind = NS_PY_STORAGE, .storage = storage};
    return NS_OK;
}

/* ---- tensors ---- */

/* Whole numbers of a tuple or a list, none below 0. */
static int whole_numbers(ns_pickle *p, const ns_py *from, const int64_t **out) {
    int64_t *numbers = ns_pickle_room(p, from->list->count * sizeof *numbers);
    if (!numbers) return ns_pickle_no_room(p);
    for (size_t i = 0; i < from->list->count; i++) {
        const ns_py *item = &from->list->items[i];
        if (item->kind != NS_PY_WHOLE || item->whole < 0)
            return ns_pickle_expected(p, "whole numbers from 0 up as a tensor's shape and strides",
                                      item->kind == NS_PY_WHOLE ? "one below 0"
                                                                : ns_py_kind_name(item->kind));
        numbers[i] = item->whole;
    }
    *out = numbers;
    return NS_OK;
}

/* Bits that say that the numbers are to be taken otherwise than they stand there: {"neg": True}. */
static bool is_turned(const ns_py_list *args, size_t i) {
    const ns_py *bits = argument(args, i, NS_PY_DICT);
    for (size_t k = 1; bits && k < bits->list->count; k += 2)
        if (bits->list->items[k].kind != NS_PY_BOOL || bits->list->items[k].whole) return true;
    return false;
}

/* (storage, offset, shape, strides, requires_grad, hooks, [dtype,] metadata) */
static int make_tensor(ns_pickle *p, const ns_py_global *global, const ns_py_list *args,
                       ns_py *out) {
    const bool typed = !strcmp(global->name, "_rebuild_tensor_v3");
    const ns_py *storage = argument(args, 0, NS_PY_STORAGE),
                *offset = argument(args, 1, NS_PY_WHOLE), *shape = argument(args, 2, NS_PY_TUPLE),
                *strides = argument(args, 3, NS_PY_TUPLE),
                *type = typed ? argument(args, 6, NS_PY_GLOBAL) : NULL;
    if (!storage || !offset || offset->whole < 0 || !shape || !strides ||
        shape->list->count != strides->list->count || shape->list->count > 64 ||
        (typed && (!type || type->global->call != element_type)))
        return wrong_arguments(p, global, "a storage, an offset, a shape and as many strides");
    ns_py_tensor *tensor = ns_pickle_room(p, sizeof *tensor);
    if (!tensor) return ns_pickle_no_room(p);
    *tensor = (ns_py_tensor){.storage = storage->storage,
                             .dtype = typed ? type->global->says : storage->storage->dtype,
                             .item = typed ? type->global->item : storage->storage->item,
                             .offset = offset->whole,
                             .dims = (int)shape->list->count};
    if (is_turned(args, typed ? 7 : 6)) tensor->odd = "a negated or conjugate view";
    int status = whole_numbers(p, shape, &tensor->shape);
    if (!status) status = whole_numbers(p, strides, &tensor->strides);
    *out = (ns_py){.kind = NS_PY_TENSOR, .tensor = tensor};
    return status;
}

/* One that is no plain array of numbers: it may lie in a checkpoint, but not be a weight. */
static int make_odd(ns_pickle *p, const ns_py_global *global, const ns_py_list *args, ns_py *out) {
    (void)args;
    ns_py_tensor *tensor = ns_pickle_room(p, sizeof *tensor);
    if (!tensor) return ns_pickle_no_room(p);
    *tensor = (ns_py_tensor){.odd = global->says, .dtype = "none"};
    *out = (ns_py){.kind = NS_PY_TENSOR, .tensor = tensor};
    return NS_OK;
}

/* (tensor, requires_grad, hooks[, what Python code has hung onto it]) */
static int make_parameter(ns_pickle *p, const ns_py_global *global, const ns_py_list *args,
                          ns_py *out) {
    if (!args->count ||
        (args->items[0].kind != NS_PY_TENSOR && args->items[0].kind != NS_PY_OBJECT))
        return wrong_arguments(p, global, "a tensor");
    *out = args->items[0];
    return NS_OK;
}

/* (function, class, its arguments, what Python code has hung onto it) */
static int make_of_class(ns_pickle *p, const ns_py_global *global, const ns_py_list *args,
                         ns_py *out) {
    const ns_py *function = argument(args, 0, NS_PY_GLOBAL), *its = argument(args, 2, NS_PY_TUPLE);
    ns_py_call *call = function ? function->global->call : NULL;
    if (!its || (call != make_tensor && call != make_parameter && call != make_odd))
        return wrong_arguments(p, global, "a function that makes tensors, a class and a tuple");
    return call(p, function->global, its->list, out);
}

/* ---- what else ---- */

/* Of nothing, or of a list of pairs. */
static int make_dict(ns_pickle *p, const ns_py_global *global, const ns_py_list *args, ns_py *out) {
    ns_py_list *dict = ns_pickle_room(p, sizeof *dict);
    const ns_py *pairs = argument(args, 0, NS_PY_LIST);
    int status = dict ? NS_OK : ns_pickle_no_room(p);
    for (size_t i = 0; pairs && !status && i < pairs->list->count; i++) {
        const ns_py *pair = &pairs->list->items[i];
        if ((pair->kind != NS_PY_LIST && pair->kind != NS_PY_TUPLE) || pair->list->count != 2)
            return wrong_arguments(p, global, "a list of pairs");
        status = ns_pickle_push(p, dict, pair->list->items[0]);
        if (!status) status = ns_pickle_push(p, dict, pair->list->items[1]);
    }
    *out = (ns_py){.kind = NS_PY_DICT, .list = dict};
    return status;
}

static int make_size(ns_pickle *p, const ns_py_global *global, const ns_py_list *args, ns_py *out) {
    const ns_py *sizes = argument(args, 0, NS_PY_TUPLE);
    if (!sizes) return wrong_arguments(p, global, "a tuple");
    *out = *sizes;
    return NS_OK;
}

/* ---- the table ---- */

#define STORAGE(name, says, item)                                                                  \
    {"torch", name, storage_type, says, item}, {                                                   \
        "torch.cuda", name, storage_type, says, item                                               \
    }
#define BYTES(module, name)                                                                        \
    { module, name, storage_type, "bytes", 1 }
#define ELEMENT(name, says, item)                                                                  \
    { "torch", name, element_type, says, item }
#define ODD(name, says)                                                                            \
    { "torch._utils", name, make_odd, says, 0 }
#define CALL(module, name, call)                                                                   \
    { module, name, call, NULL, 0 }
#define OBJECT(module, name)                                                                       \
    { module, name, NULL, NULL, 0 }

static const ns_py_global table[] = {
    CALL("collections", "OrderedDict", make_dict),
    CALL("collections", "defaultdict", make_dict),
    CALL("builtins", "dict", make_dict),
    CALL("__builtin__", "dict", make_dict),
    CALL("torch", "Size", make_size),
    CALL("torch._utils", "_rebuild_tensor", make_tensor),
    CALL("torch._utils", "_rebuild_tensor_v2", make_tensor),
    CALL("torch._utils", "_rebuild_tensor_v3", make_tensor),
    CALL("torch._utils", "_rebuild_parameter", make_parameter),
    CALL("torch._utils", "_rebuild_parameter_with_state", make_parameter),
    CALL("torch._tensor", "_rebuild_from_type_v2", make_of_class),
    ODD("_rebuild_qtensor", "a quantized tensor"),
    ODD("_rebuild_sparse_tensor", "a sparse tensor"),
    ODD("_rebuild_sparse_csr_tensor", "a sparse tensor"),
    ODD("_rebuild_nested_tensor", "a nested tensor"),
    ODD("_rebuild_meta_tensor_no_storage", "a tensor without values (device meta)"),
    ODD("_rebuild_wrapper_subclass", "a tensor of a class without values"),
    ODD("_rebuild_device_tensor_from_numpy", "a tensor of another device as a NumPy array"),
    ODD("_rebuild_device_tensor_from_cpu_tensor", "a tensor of another device"),
    ODD("_rebuild_xla_tensor", "a tensor of another device as a NumPy array"),
    STORAGE("FloatStorage", "F32", 4),
    STORAGE("DoubleStorage", "F64", 8),
    STORAGE("HalfStorage", "F16", 2),
    STORAGE("BFloat16Storage", "BF16", 2),
    STORAGE("LongStorage", "I64", 8),
    STORAGE("IntStorage", "I32", 4),
    STORAGE("ShortStorage", "I16", 2),
    STORAGE("CharStorage", "I8", 1),
    STORAGE("ByteStorage", "U8", 1),
    STORAGE("BoolStorage", "BOOL", 1),
    STORAGE("ComplexFloatStorage", "C64", 8),
    STORAGE("ComplexDoubleStorage", "C128", 16),
    STORAGE("QInt8Storage", "QINT8", 1),
    STORAGE("QUInt8Storage", "QUINT8", 1),
    STORAGE("QInt32Storage", "QINT32", 4),
    BYTES("torch", "UntypedStorage"),
    BYTES("torch.storage", "UntypedStorage"),
    BYTES("torch.storage", "_UntypedStorage"),
    ELEMENT("float32", "F32", 4),
    ELEMENT("float64", "F64", 8),
    ELEMENT("float16", "F16", 2),
    ELEMENT("bfloat16", "BF16", 2),
    ELEMENT("int64", "I64", 8),
    ELEMENT("int32", "I32", 4),
    ELEMENT("int16", "I16", 2),
    ELEMENT("int8", "I8", 1),
    ELEMENT("uint8", "U8", 1),
    ELEMENT("uint16", "U16", 2),
    ELEMENT("uint32", "U32", 4),
    ELEMENT("uint64", "U64", 8),
    ELEMENT("bool", "BOOL", 1),
    ELEMENT("complex64", "C64", 8),
    ELEMENT("complex128", "C128", 16),
    ELEMENT("float8_e4m3fn", "F8_E4M3", 1),
    ELEMENT("float8_e5m2", "F8_E5M2", 1),
    /* Beside the weights: what is made of these is not looked into. */
    OBJECT("torch", "device"),
    OBJECT("torch", "Tensor"),
    OBJECT("torch", "*_affine"),
    OBJECT("torch.nn.parameter", "Parameter"),
    OBJECT("torch.nn.parameter", "Buffer"),
    OBJECT("torch.serialization", "_get_layout"),
    OBJECT("torch.torch_version", "TorchVersion"),
    OBJECT("_codecs", "encode"),
    OBJECT("copyreg", "_reconstructor"),
    OBJECT("copy_reg", "_reconstructor"),
    OBJECT("numpy", "ndarray"),
    OBJECT("numpy", "dtype"),
    OBJECT("numpy*", "scalar"),
    OBJECT("numpy*", "_reconstruct"),
    OBJECT("numpy*", "_frombuffer"),
    OBJECT("numpy.dtypes", "*"),
    OBJECT("argparse", "Namespace"),
    OBJECT("types", "SimpleNamespace"),
    OBJECT("collections", "Counter"),
    OBJECT("collections", "deque"),
    OBJECT("pathlib*", "*Path"),
    OBJECT("datetime", "*"),
    OBJECT("typing", "Any"),
    OBJECT("omegaconf*", "*"),
    OBJECT("yacs.config", "CfgNode"),
    OBJECT("easydict", "EasyDict"),
    OBJECT("addict*", "Dict"),
    OBJECT("pytorch_lightning*", "AttributeDict"),
    OBJECT("lightning*", "AttributeDict"),
    OBJECT("pytorch_lightning*", "ModelCheckpoint"),
    OBJECT("lightning*", "ModelCheckpoint"),
#define BUILTIN(name) OBJECT("builtins", name), OBJECT("__builtin__", name)
    BUILTIN("object"),
    BUILTIN("set"),
    BUILTIN("frozenset"),
    BUILTIN("list"),
    BUILTIN("tuple"),
    BUILTIN("int"),
    BUILTIN("long"),
    BUILTIN("float"),
    BUILTIN("bool"),
    BUILTIN("str"),
    BUILTIN("unicode"),
    BUILTIN("bytes"),
    BUILTIN("bytearray"),
    BUILTIN("complex"),
    BUILTIN("slice"),
    BUILTIN("range"),
};

/* One * of the pattern stands for anything. */
static bool matches(const char *pattern, ns_py text) {
    const size_t n = strlen(pattern), head = strcspn(pattern, "*");
    if (head == n) return text.length == n && !memcmp(text.text, pattern, n);
    const size_t tail = n - head - 1;
    return text.length >= head + tail && !memcmp(text.text, pattern, head) &&
           !memcmp(text.text + text.length - tail, pattern + head + 1, tail);
}

const ns_py_global *ns_py_global_find(ns_py module, ns_py name) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (matches(table[i].name, name) && matches(table[i].module, module)) return &table[i];
    return NULL;
}

int ns_py_global_call(ns_pickle *p, const ns_py_global *global, const ns_py_list *args,
                      ns_py *out) {
    if (global->call) return global->call(p, global, args, out);
    *out = (ns_py){.kind = NS_PY_OBJECT, .global = global};
    return NS_OK;
}

int ns_py_shown(ns_py text) {
    return text.length < 60 ? (int)text.length : 60;
}

int ns_pickle_unknown_name(ns_pickle *p, ns_py module, ns_py name) {
    /* The first thing of all: the file holds one object of that class, a module as a rule. */
    const bool whole = !p->stack.count && !p->mark_count;
    ns_fail(p->err, NS_EINPUT,
            "%s, byte %zu: expected %s, found %.*s.%.*s, which is not looked up: nothing of a "
            "pickle is run here. Load the "
            "file in Python where it can be trusted, and write its weights alone: "
            "torch.save(model.state_dict(), \"weights.pt\")",
            p->what, p->begun,
            whole ? "a state dict" : "tensors, dictionaries and other values without code",
            ns_py_shown(module), module.text, ns_py_shown(name), name.text);
    if (whole) ns_fail_more(p->err, " (the file seems to hold a whole model)");
    return NS_EINPUT;
}
