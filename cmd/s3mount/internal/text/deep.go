package text

import "reflect"

// Deep returns a copy of v in which each string is Printable: fields, elements, and
// keys and values of maps. Types with unexported fields, such as time.Time, stay
// as they are.
func Deep[T any](v T) T {
	out := deep(reflect.ValueOf(&v).Elem())
	return out.Interface().(T)
}

func deep(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(Printable(v.String())).Convert(v.Type())
	case reflect.Struct:
		return deepStruct(v)
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(deep(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for k, e := range v.Seq2() {
			out.SetMapIndex(deep(k), deep(e))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(deep(v.Elem()))
		return out
	}
	return v
}

func deepStruct(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			return v
		}
		out.Field(i).Set(deep(v.Field(i)))
	}
	return out
}
