; Errors: where they come from, who catches them, and that the language goes on, whatever it was.

(define (message thunk) (guard (e (if (error? e) (error-message e) e)) (thunk)))

(print (message (lambda () (car 1))))
(print (message (lambda () (vector-ref (vector 1 2) 2))))
(print (message (lambda () (undefined 1))))
(print (message (lambda () (/ 1 0))))
(print (message (lambda () ("text" 1))))
(print (message (lambda () ((lambda (x) x)))))
(print (message (lambda () (raise 'thrown))))
(print (message (lambda () (let loop ((n 1)) (loop (* n 3))))))

; Position: the line and the column of the call.
(print (guard (e (list (error-line e) (error-column e)))
  (+ 1
     (cdr 5))))

; A guard in a guard; the inner one raises again.
(print (guard (outer (list 'outer outer))
  (guard (inner (raise (list 'inner inner)))
    (raise 'first))))

; Recursion without an end is an error.
(define (deep n) (+ 1 (deep (+ n 1))))
(print (message (lambda () (deep 0))))
(print (message (lambda () (deep 0))))

; A million calls in the last place are no recursion.
(print (let loop ((i 0)) (if (< i 300000) (loop (+ i 1)) i)))

; A macro whose expansion is not well made.
(define-macro (bad) '(if))
(print (message (lambda () (eval '(bad)))))
(print (message (lambda () (eval '(let ((x)) x)))))
