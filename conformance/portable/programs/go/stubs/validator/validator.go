// Package validator stands in for gopkg.in/validator.v2, which the generated code calls for structs
// without validation tags. It accepts every value.
package validator

// Validate accepts every value.
func Validate(value interface{}) error { return nil }
